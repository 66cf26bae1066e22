"""What the API reads from its environment besides the bridge's own variables.

Wrong settings stop the process when it starts, with one sentence that names the variable and the cure and
never its value: a database URL carries a password.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


class SettingsError(Exception):
    """A variable is missing or unusable; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The API's own settings.

    Attributes:
        database_url: ``postgresql://todo_api:…@host:port/database``, a role that may touch ``api.task`` only;
            with ``?pgbouncer=true`` where that is what listens there.
        web_origin: the one origin that browsers may call from, ``scheme://host[:port]``.
    """

    database_url: str = field(repr=False)
    web_origin: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read ``API_DATABASE_URL`` and ``WEB_ORIGIN``; raises SettingsError."""
        return cls(
            database_url=_database_url(environ.get("API_DATABASE_URL", "")),
            web_origin=_web_origin(environ.get("WEB_ORIGIN", "")),
        )


def _database_url(value: str) -> str:
    if not value:
        raise SettingsError(
            "API_DATABASE_URL is not set; set it to postgresql://todo_api:<password>@<host>:<port>/<database>."
        )
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("postgres", "postgresql") and bool(parts.path.strip("/"))
        _ = parts.port
        pgbouncer = parse_qs(parts.query, keep_blank_values=True).get("pgbouncer", ["true"])
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            "API_DATABASE_URL is no PostgreSQL URL with a database in it; write it as "
            "postgresql://todo_api:<password>@<host>:<port>/<database>."
        )
    if pgbouncer != ["true"]:
        raise SettingsError(
            "API_DATABASE_URL has a pgbouncer that is not true; write ?pgbouncer=true where pgbouncer in "
            "transaction mode listens there, and leave it out where PostgreSQL does."
        )
    return value


def _web_origin(value: str) -> str:
    """One exact origin: CORS compares strings, and ``*`` would open the API to every site."""
    if not value:
        raise SettingsError(
            "WEB_ORIGIN is not set; set it to the address of the web app, for example http://localhost:3000."
        )
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and value == f"{parts.scheme}://{parts.netloc}".lower() and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            "WEB_ORIGIN is no origin; write scheme, host and port only, in lower case and without a path, "
            "for example http://localhost:3000."
        )
    return value
