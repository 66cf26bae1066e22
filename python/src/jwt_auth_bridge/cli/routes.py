"""``routes``: every route of a FastAPI app, who guards it, and where it stands.

The same judgement that ``bridge.protect(app)`` makes at start, for people and for CI. It imports the app and
starts nothing: no server, no lifespan.
"""

import argparse
import importlib
import inspect
import os
import sys
from typing import Any

from ..errors import ConfigurationError

HELP = """List every route of a FastAPI app: its method, its path, its guard, file and line of its function.

The app is written as uvicorn takes it, module:attribute, and is imported from the working folder, with the
environment that it needs. What needs no token is what bridge.protect(app, public=[...]) was given.

  python -m jwt_auth_bridge routes app.main:app
  python -m jwt_auth_bridge routes app.main:create_app --factory
  python -m jwt_auth_bridge routes app.main:app --check

The guard is what the route depends on, "public", "docs" for FastAPI's own pages, or NONE; optional_user alone
lets in who sends no token. Faults follow on standard error, each with its fix. The exit status is 0; with
--check 1 where there are faults; 2 where the app can not be imported or bridge.protect(app) was not called.
"""


class _NotFoundError(Exception):
    """There is no app to look at; the message says why."""


def add_routes(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "routes",
        help="list an app's routes and who guards them",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="module:attribute, for instance app.main:app")
    parser.add_argument("--check", action="store_true", help="exit with 1 where there are faults")
    parser.add_argument(
        "--factory", action="store_true", help="the attribute is a function that makes the app"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        lines, faults = routes(options.app, factory=options.factory)
    except (_NotFoundError, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    sys.stdout.flush()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults and options.check else 0


def routes(target: str, *, factory: bool = False) -> tuple[list[str], list[str]]:
    """Reads an app's routes.

    Args:
        target: ``module:attribute``.
        factory: whether the attribute makes the app; so does one written ``create_app()``.

    Returns:
        The lines of the table, and the faults, as ``bridge.protect`` says them.

    Raises:
        ConfigurationError: no bridge protects the app.
    """
    try:
        from .._fastapi_audit import protections_of, say_faults, survey  # noqa: PLC0415
        from .._fastapi_tree import readable  # noqa: PLC0415
    except ImportError:
        raise _NotFoundError("FastAPI is not installed: pip install 'jwt-auth-bridge[fastapi]'") from None
    app = readable(_load(target, factory))
    if app is None:
        raise _NotFoundError(
            f"{target} is no FastAPI app; name the module and the app in it, like app.main:app"
        )
    bridges = [said["bridge"] for said in protections_of(app)]
    if not bridges:
        raise ConfigurationError(
            f"bridge.protect(app) was not called for {target}: no route is checked at start, and there is no"
            " list of public ones"
        )
    rows, strays = survey(app, bridges)
    table = [("METHOD", "PATH", "GUARD", "WHERE"), *(row[:4] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3]])
        for line in table
    ]
    return lines, say_faults(rows, strays)


def _load(target: str, factory: bool) -> Any:
    module, _, attribute = target.partition(":")
    if not module or not attribute:
        raise _NotFoundError(f"{target!r} is not written module:attribute, for instance app.main:app")
    if attribute.endswith("()"):
        attribute, factory = attribute[:-2], True
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise _NotFoundError(
                f"there is no module {error.name} below {os.getcwd()}: run the command in the folder in which"
                " the server is started"
            ) from None
        raise _failed(f"importing {module}", error) from None
    except (Exception, SystemExit) as error:
        raise _failed(f"importing {module}", error) from None
    try:
        for name in attribute.split("."):
            found = getattr(found, name)
    except AttributeError:
        raise _NotFoundError(f"{module} has no {attribute}") from None
    if factory:
        try:
            return found()
        except (Exception, SystemExit) as error:
            raise _failed(f"calling {attribute}()", error) from None
    if inspect.isfunction(found):
        raise _NotFoundError(f"{target} is a function: add --factory if it makes the app")
    return found


def _failed(doing: str, error: BaseException) -> _NotFoundError:
    return _NotFoundError(f"{doing} failed: {type(error).__name__}: {error}")
