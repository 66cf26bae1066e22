"""The command ``python -m jwt_auth_bridge``, the same as ``npx jwt-auth-bridge`` in the other language.

Annex: imports the core; ``routes`` alone needs FastAPI, and imports it when it runs.
"""

import argparse
import sys
from collections.abc import Sequence

from .inspect import add_inspect
from .key import add_key
from .routes import add_routes
from .verify import add_verify

DESCRIPTION = (
    "Verify and explain the access tokens of jwt-auth-bridge, print an API's keys, and list an app's routes."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; wrong usage exits with 2.

    Example:
        >>> main(["verify", "--now", "soon"])
        Traceback (most recent call last):
        SystemExit: 2
    """
    parser = argparse.ArgumentParser(prog="python -m jwt_auth_bridge", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="command")
    add_verify(commands)
    add_inspect(commands)
    add_key(commands)
    add_routes(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # argparse itself would repeat them, and one may be a secret.
        parser.error(f"{len(unknown)} unknown argument{'s' if len(unknown) > 1 else ''}; see --help")
    try:
        return int(options.run(options))
    except BrokenPipeError:
        # The reader went away, as `head` does: no traceback, and nothing more to flush.
        sys.stdout = None
        return 0
