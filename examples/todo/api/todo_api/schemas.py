"""What goes in and what comes out, with every size bounded.

No body has a ``user_id``: one that is sent is ignored, because the owner is the token's user and nobody else.
PostgreSQL's text cannot hold U+0000, and a lone surrogate is no UTF-8: the first is refused here, the second
by pydantic, both with 422 and before the driver sees them.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the character U+0000")
    return value


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_without_nul),
]
Description = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_without_nul)]


class TaskIn(BaseModel):
    """A whole task: what POST stores and PUT replaces."""

    title: Title
    description: Description = ""
    completed: bool = False


class TaskChanges(BaseModel):
    """Some fields of a task: what PATCH changes. A field that is absent stays as it is; null is refused."""

    title: Title = ""
    description: Description = ""
    completed: bool = False


class Completion(BaseModel):
    """The body of ``PATCH …/complete``. Says what shall be, not "toggle", so that a retry does no harm."""

    completed: bool = True


class TaskOut(BaseModel):
    """A task as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_id: str
    title: str
    description: str
    completed: bool
    created_at: datetime
    updated_at: datetime


class Me(BaseModel):
    """Who the token says is calling."""

    user_id: str
    session_id: str | None
    expires_at: float
