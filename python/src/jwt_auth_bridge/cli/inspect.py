"""``inspect``: one token, explained to a person.

Shows header and claims (unverified), the times in words, the first rule that fails under the settings of
the environment, and what to do. *Does not* print the token, its signature or a key.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ..compact import parse_compact, parse_header, parse_json_object
from ..environment import from_environment
from ..errors import ConfigurationError, InvalidTokenError, KeySetUnavailableError
from ..jwks import list_key_ids
from ..verifier import Verifier

HELP = """Explain one token: its header and claims (unverified), its times, the rule it fails, what to do.

The token is the argument, or standard input where the argument is "-" (a token in the arguments is seen by
other processes and kept by the shell's history). It is verified under the environment's settings, where they
are set: BETTER_AUTH_SECRET or BETTER_AUTH_SECRETS, JWT_BRIDGE_KEYS or JWT_BRIDGE_JWKS_URL (which is fetched),
BETTER_AUTH_URL or JWT_BRIDGE_ISSUER, JWT_BRIDGE_AUDIENCE.
The exit status is 0 when the token is good, 1 when it is not, 2 when nothing could be verified.
"""


def add_inspect(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="explain one token to a person",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("token", help='the token, or "-" for standard input')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    token = sys.stdin.read().strip() if options.token == "-" else options.token
    lines, status = inspect(token, os.environ, time.time())
    print("\n".join(lines))
    return status


def inspect(token: str, environ: Mapping[str, str], now: float) -> tuple[list[str], int]:
    """Explains a token.

    Args:
        token: anything that was sent as one.
        environ: where the settings are.
        now: seconds since 1970.

    Returns:
        The lines to show, and the exit status.

    Example:
        >>> inspect("a1B2" * 8, {}, 0)[0][0]
        'No JWT: token_opaque'
    """
    try:
        segment, _, payload, _ = parse_compact(token)
        header = parse_header(segment)
    except InvalidTokenError as error:
        return [f"No JWT: {error.code}", f"  {error.hint}"], 1
    try:
        claims = parse_json_object(payload)
    except ValueError:
        claims = {}
    lines = ["Header (unverified)", *_members(header), "Claims (unverified)"]
    lines += _members(claims) if claims else ["  not one strict JSON object"]
    lines += [*_times(claims, now), *_warnings(header)]
    verdict, status = _verdict(token, environ, now)
    return lines + verdict, status


def _members(members: Mapping[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        yield f"  {json.dumps(name)[1:-1]:<10} {json.dumps(value, ensure_ascii=True)}"


def _times(claims: Mapping[str, Any], now: float) -> Iterator[str]:
    known = [name for name in ("iat", "nbf", "exp") if type(claims.get(name)) in (int, float)]
    if known:
        yield "Times"
    for name in known:
        seconds = claims[name]
        try:
            moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (OverflowError, ValueError, OSError):
            moment = "no date of this calendar"
        yield f"  {name:<10} {moment}, {relative(seconds - now)}"


def relative(seconds: float) -> str:
    """Says in words how far a moment is away.

    Example:
        >>> relative(-90)
        '1 minute 30 seconds ago'
    """
    whole = round(abs(seconds))
    parts = []
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}{'s' if count != 1 else ''}")
    if not parts:
        return "now"
    words = " ".join(parts[:2])
    return f"{words} ago" if seconds < 0 else f"in {words}"


def _warnings(header: Mapping[str, Any]) -> Iterator[str]:
    if header.get("typ") != "at+jwt" and header.get("alg") in ("EdDSA", "ES256", "ES512", "PS256", "RS256"):
        yield "Warning"
        yield "  This looks like a token of Better Auth's stock jwt() plugin: its own key pair signed it."
        yield "  Put jwtBridge() in its place, and this API's address into its audience."


def _verdict(token: str, environ: Mapping[str, str], now: float) -> tuple[list[str], int]:
    try:
        verifier = Verifier(**from_environment(environ), clock=lambda: now)
        verifier.verify(token)
    except (ConfigurationError, KeySetUnavailableError) as error:
        return ["Not verified", f"  {error}"], 2
    except InvalidTokenError as error:
        return [f"Refused: {error.code}", f"  {error.hint}", _settings(verifier)], 1
    return ["Good: every rule passes, V1 to V17", _settings(verifier)], 0


def _settings(verifier: Verifier) -> str:
    keys = list_key_ids(verifier.key_ids)
    return f"  issuer {verifier.issuer}, audience {verifier.audience}, keys {keys}"
