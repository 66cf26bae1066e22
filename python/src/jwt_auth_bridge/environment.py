"""The environment variables that all parts of a deployment share, in; what a verifier needs of them, out.

Ninth room: names the variable in everything that it refuses, and never its value. Law: ``access-token.md``
"Secrets in force", "Verification keys" and "Issuer".
"""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Required, TypedDict

from .compact import decode_base64url, parse_json_object
from .errors import ConfigurationError
from .jwks import judge_key_set_url
from .key_source import judge_key_set
from .keys import TRIM, derive_keys, reduce_issuer, secrets_in_force
from .profile import ALGORITHM, MAX_KEY_SET_BYTES


class EnvironmentOptions(TypedDict, total=False):
    """Options of a verifier, as far as the environment gives them."""

    issuer: Required[str]
    audience: Required[str]
    secrets: tuple[str, ...]
    keys: dict[str, Any]
    jwks_uri: str
    internal_hosts: tuple[str, ...]
    migration: bool


def from_environment(environ: Mapping[str, str]) -> EnvironmentOptions:
    """Reads issuer, audience and where the keys come from. An empty variable is an unset one.

    - Keys: ``BETTER_AUTH_SECRETS``, else ``BETTER_AUTH_SECRET``; or ``JWT_BRIDGE_KEYS``, a JWK Set as JSON,
      or ``@`` and the name of a file that holds it; or ``JWT_BRIDGE_JWKS_URL``, which may use ``http`` to the
      hosts that ``JWT_BRIDGE_JWKS_INTERNAL_HOSTS`` lists, separated by commas.
    - ``JWT_BRIDGE_MIGRATION=true``: keys of both kinds, while tokens move from a shared secret to public
      keys.
    - ``JWT_BRIDGE_ISSUER``, taken literally, where set, else ``BETTER_AUTH_URL``, reduced to its origin.
    - ``JWT_BRIDGE_AUDIENCE``.

    Args:
        environ: the variables, ``os.environ`` as a rule.

    Raises:
        ConfigurationError: with the variable's name and the cure, never its value.

    Example:
        >>> from_environment({
        ...     "BETTER_AUTH_SECRET": "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        ...     "BETTER_AUTH_URL": "https://app.example.com/",
        ...     "JWT_BRIDGE_AUDIENCE": "https://api.example.com",
        ... })["issuer"]
        'https://app.example.com'
    """
    secret_name = "BETTER_AUTH_SECRETS" if environ.get("BETTER_AUTH_SECRETS") else "BETTER_AUTH_SECRET"
    migration = _read_migration(environ)
    url, hosts = _read_url(environ)
    keys = _read_keys(environ)
    is_oct = keys is not None and ALGORITHM in judge_key_set(keys, "JWT_BRIDGE_KEYS").algorithms
    secrets = secrets_in_force(environ) if environ.get(secret_name) or not (keys or url) else None
    _judge_sources(
        secret_name if secrets else "JWT_BRIDGE_KEYS" if is_oct else None,
        [*(["JWT_BRIDGE_KEYS"] if keys and not is_oct else []), *(["JWT_BRIDGE_JWKS_URL"] if url else [])],
        migration,
    )
    audience = environ.get("JWT_BRIDGE_AUDIENCE")
    if not audience:
        raise ConfigurationError(
            "JWT_BRIDGE_AUDIENCE is not set; set it to this API's identifier, as on the issuing side"
        )
    try:
        audience.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("JWT_BRIDGE_AUDIENCE is no UTF-8 text; set it to plain text") from None
    issuer = environ.get("JWT_BRIDGE_ISSUER") or reduce_issuer(environ.get("BETTER_AUTH_URL", ""))
    options: EnvironmentOptions = {"issuer": issuer, "audience": audience}
    if secrets:
        options["secrets"] = secrets
    if keys and secrets and is_oct:
        # Where both are set and agree, the secrets are used.
        _compare(keys, secrets, audience, secret_name)
    elif keys:
        options["keys"] = keys
    if url:
        options |= {"jwks_uri": url, "internal_hosts": hosts}
    if migration:
        options["migration"] = True
    return options


def _judge_sources(symmetric: str | None, published: list[str], migration: bool) -> None:
    if len(published) > 1:
        raise ConfigurationError(
            f"{' and '.join(published)} are both set, with public keys; remove one of them"
        )
    if symmetric and published and not migration:
        raise ConfigurationError(
            f"{symmetric} and {published[0]} are both set; remove one of them, or set"
            " JWT_BRIDGE_MIGRATION=true while tokens move from one to the other"
        )
    if migration and not (symmetric and published):
        raise ConfigurationError(
            f"JWT_BRIDGE_MIGRATION is set, and of both kinds of keys only {symmetric or published[0]} is: the"
            " migration has ended, remove JWT_BRIDGE_MIGRATION"
        )


def _read_migration(environ: Mapping[str, str]) -> bool:
    value = environ.get("JWT_BRIDGE_MIGRATION")
    if value and value != "true":
        raise ConfigurationError("JWT_BRIDGE_MIGRATION must be true, or not set at all")
    return bool(value)


def _read_url(environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    url, listed = environ.get("JWT_BRIDGE_JWKS_URL"), environ.get("JWT_BRIDGE_JWKS_INTERNAL_HOSTS")
    hosts = tuple(host.strip(TRIM) for host in listed.split(",")) if listed else ()
    if url:
        return judge_key_set_url(url, hosts, "JWT_BRIDGE_JWKS_URL", "JWT_BRIDGE_JWKS_INTERNAL_HOSTS"), hosts
    if listed:
        raise ConfigurationError(
            "JWT_BRIDGE_JWKS_INTERNAL_HOSTS is set without JWT_BRIDGE_JWKS_URL; remove it, or set the URL"
        )
    return None, ()


def _read_keys(environ: Mapping[str, str]) -> dict[str, Any] | None:
    value = environ.get("JWT_BRIDGE_KEYS")
    if not value:
        return None
    try:
        return parse_json_object(_read_file(value[1:]) if value.startswith("@") else value.encode())
    except ValueError:
        raise ConfigurationError(
            'JWT_BRIDGE_KEYS is not one strict JSON object; set it to {"keys": [...]}, as the command key'
            " prints it, or to @ and the name of a file that holds it"
        ) from None


def _read_file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_KEY_SET_BYTES + 1)
    except (OSError, ValueError) as error:
        code = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
        raise ConfigurationError(
            f"JWT_BRIDGE_KEYS names a file that can not be read ({code}); correct what follows the @, or set"
            " the variable to the JSON itself"
        ) from None


def _compare(keys: dict[str, Any], secrets: tuple[str, ...], audience: str, secret_name: str) -> None:
    """Holds given keys against derived ones: the same key material, whatever the keys are called."""
    usable = judge_key_set(keys, "JWT_BRIDGE_KEYS").keys
    entries = (entry for entry in keys["keys"] if isinstance(entry, dict))
    named = (entry for entry in entries if isinstance(entry.get("kid"), str) and entry["kid"] in usable)
    given = {decode_base64url(entry["k"]) for entry in named}
    if given != set(derive_keys(secrets, audience).values()):
        raise ConfigurationError(
            f"JWT_BRIDGE_KEYS and {secret_name} are both set and do not agree: the keys are not those that"
            " the secret gives for this audience; remove one of them"
        )
