"""``key``: the derived keys of one API as a JWK Set, for a service that is not to hold the shared secret.

With them a service verifies, and could issue, tokens for that API; it can not open Better Auth's cookies,
e-mail links or stored ciphertext. Law: ``access-token.md`` "Keys", RFC 7517 §5.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError
from ..jwks import list_key_ids
from ..keys import derive_keys, key_set_of, secrets_in_force
from ..verifier import judge_identifier

HELP = """Print the derived keys of one API as a JWK Set, current first, on one line of standard output.

The secrets are read from the environment, BETTER_AUTH_SECRETS or BETTER_AUTH_SECRET, never from the
arguments; the audience is --audience, else JWT_BRIDGE_AUDIENCE. Give the line to the API in place of the
secret:

  JWT_BRIDGE_KEYS='{"keys":[...]}'        the line itself
  JWT_BRIDGE_KEYS=@/run/secrets/keys      a file that holds it

A .env file is loaded by the shell:  set -a; . ./.env; set +a
The exit status is 0, or 2 when a setting is missing or refused.
"""


def add_key(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "key",
        help="print the derived keys of one API as a JWK Set",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--audience", metavar="URL", help="the API's identifier; default JWT_BRIDGE_AUDIENCE")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    audience = os.environ.get("JWT_BRIDGE_AUDIENCE", "") if options.audience is None else options.audience
    try:
        line, said = key(audience, os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    print(said, file=sys.stderr)
    print(line)
    return 0


def key(audience: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Derives the keys of one API.

    Args:
        audience: the API's identifier.
        environ: where the shared secrets are.

    Returns:
        The JWK Set as JSON, and a sentence about it that holds no key.

    Raises:
        ConfigurationError: no audience, or no secret, or a refused one.

    Example:
        >>> environ = {"BETTER_AUTH_SECRET": "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="}
        >>> key("https://api.example.com", environ)[0][:23]
        '{"keys":[{"kty":"oct","'
    """
    if not audience:
        raise ConfigurationError(
            "JWT_BRIDGE_AUDIENCE is not set; set it to this API's identifier, or name it with --audience"
        )
    derived = derive_keys(secrets_in_force(environ), judge_identifier(audience, "audience"))
    line = json.dumps(key_set_of(derived), separators=(",", ":"))
    return line, (
        f"Keys for audience {audience}: {list_key_ids(derived)}. Whoever has them can issue tokens for that"
        " API: keep them as a secret."
    )
