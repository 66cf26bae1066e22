"""How errors leave the API: small bodies of the bridge's shape, ``{"detail", "error"}``, and no internals.

Registered on the app as exception handlers. Bodies are ASCII: a lone surrogate that came in with a request
can be quoted in no UTF-8 answer.
"""

import json
import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.responses import Response

from .database import DatabaseUnavailableError
from .service import TaskNotFoundError

RETRY_AFTER: Final = 5
"""Seconds after which a client may ask again."""

logger = logging.getLogger("todo_api")


def install_answers(app: FastAPI) -> None:
    """Register the handlers below."""
    app.add_exception_handler(TaskNotFoundError, _not_found)
    app.add_exception_handler(IntegrityError, _refused_by_a_constraint)
    app.add_exception_handler(DatabaseUnavailableError, _database_unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)


def answer(status: int, body: dict[str, object], headers: dict[str, str] | None = None) -> Response:
    """A JSON response in ASCII."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return answer(404, {"detail": "There is no such task", "error": "task_not_found"})


async def _refused_by_a_constraint(request: Request, error: Exception) -> Response:
    """A unique key or a reference knows rows that the caller may not see: it is answered like one of them."""
    logger.warning(
        "A constraint refused a statement: SQLSTATE %s",
        getattr(getattr(error, "orig", None), "sqlstate", None),
    )
    return await _not_found(request, error)


async def _database_unavailable(_request: Request, error: Exception) -> Response:
    logger.warning("The database cannot be had: %s", error)
    body: dict[str, object] = {
        "detail": "The database is unavailable, try again",
        "error": "temporarily_unavailable",
    }
    return answer(503, body, {"Retry-After": str(RETRY_AFTER)})


async def _invalid(_request: Request, error: Exception) -> Response:
    """FastAPI's own answer without ``input`` and ``ctx``, which would repeat what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    detail = [{key: found[key] for key in ("type", "loc", "msg")} for found in error.errors()]
    return answer(422, {"detail": detail, "error": "invalid_input"})
