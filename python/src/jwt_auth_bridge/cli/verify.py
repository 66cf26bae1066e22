"""``verify``: the conformance port. Questions come as JSON lines, one answer leaves for each, in order.

A line that is no question, or that states an impossible policy, is answered with an error; the stream goes
on. Law: ``access-token.md``, "Conformance port".
"""

import argparse
import base64
import json
import math
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from ..compact import parse_json_object
from ..errors import ConfigurationError, InvalidTokenError
from ..verifier import Principal, Verifier

HELP = """Read questions as JSON lines from standard input and write one answer for each:

  {"id": "1", "token": "eyJ…", "now": 1800000000, "policy": {"issuer": …, "audience": …, "secrets": […]}}
  {"id": "1", "ok": true, "principal": {…}}   or   {"id": "1", "ok": false, "code": …, "hint": …}

"token_b64" may stand in place of "token"; "keys" (a JWK Set) in place of "secrets". A policy may also have
"algorithms", "leeway" and "maximumLifetime". A line that is no question gets {"id": …, "error": …}.
The exit status is 0 whenever every line got its answer.
"""

_PARAMETERS = {
    "issuer": "issuer",
    "audience": "audience",
    "secrets": "secrets",
    "keys": "keys",
    "algorithms": "algorithms",
    "leeway": "leeway",
    "maximumLifetime": "maximum_lifetime",
}


def add_verify(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="answer questions about tokens, as JSON lines",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--policy", metavar="FILE", help="a JSON file: the policy of questions without one")
    parser.add_argument("--now", type=_seconds, metavar="SECONDS", help="the time of questions without one")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds):
        raise ValueError(text)
    return seconds


def _run(options: argparse.Namespace) -> int:
    policy = None
    if options.policy:
        try:
            with open(options.policy, "rb") as file:
                policy = parse_json_object(file.read())
        except (OSError, ValueError) as error:
            print(f"--policy {options.policy} is no readable JSON object: {error}", file=sys.stderr)
            return 2
    for reply in answers(sys.stdin.buffer, policy, options.now):
        sys.stdout.write(reply + "\n")
        sys.stdout.flush()
    return 0


def answers(lines: Iterable[bytes], policy: Any = None, now: float | None = None) -> Iterator[str]:
    """Answers each line with one line of JSON.

    Args:
        lines: the questions, as bytes.
        policy: the policy of questions that have none.
        now: the time of questions that have none, in seconds since 1970.

    Example:
        >>> next(answers([b"no question"]))
        '{"id": null, "error": "the line is not one strict JSON object"}'
    """
    defaults = {"policy": policy, "now": now}
    for line in lines:
        yield json.dumps(_answer(line.rstrip(b"\r\n"), defaults))


def _answer(line: bytes, defaults: dict[str, Any]) -> dict[str, Any]:
    try:
        question = {name: value for name, value in defaults.items() if value is not None}
        question |= parse_json_object(line)
    except ValueError:
        return {"id": None, "error": "the line is not one strict JSON object"}
    named = question.get("id")
    identifier = {"id": named if isinstance(named, str) else None}
    try:
        token, now, policy = _read(question)
        principal = _verifier(json.dumps(policy, sort_keys=True)).verify_at(token, now)
    except InvalidTokenError as error:
        return {**identifier, "ok": False, "code": error.code, "hint": error.hint}
    except (ConfigurationError, ValueError) as error:
        return {**identifier, "error": str(error)}
    return {**identifier, "ok": True, "principal": _describe(principal)}


def _read(question: dict[str, Any]) -> tuple[str, float, Any]:
    if not isinstance(question.get("id"), str):
        raise ValueError("id must be a string")
    if ("token" in question) == ("token_b64" in question):
        raise ValueError("exactly one of token and token_b64 must be there")
    now = question.get("now")
    if isinstance(now, bool) or not isinstance(now, int | float):
        raise ValueError("now must be a number of seconds")
    token = question["token"] if "token" in question else _decode(question["token_b64"])
    if not isinstance(token, str):
        raise ValueError("token must be a string")
    return token, float(now), question.get("policy")


def _decode(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("token_b64 must be a string")
    try:
        standard = text.rstrip("=").replace("-", "+").replace("_", "/")
        # Latin-1: every byte becomes a character, and V1 judges those beyond ASCII.
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode("latin-1")
    except ValueError:
        raise ValueError("token_b64 is not base64") from None


class _Verifier(Verifier):
    """A verifier whose clock stands at each question's own time."""

    _now = 0.0

    def verify_at(self, token: str, now: float) -> Principal:
        self._now = now
        return self.verify(token)


@lru_cache(maxsize=256)
def _verifier(policy: str) -> _Verifier:
    members = json.loads(policy)
    if not isinstance(members, dict):
        raise ConfigurationError("policy must be an object")
    for name in members:
        if name not in _PARAMETERS:
            raise ConfigurationError(f"policy has the unknown member {name!r}")
        if members[name] is None:
            raise ConfigurationError(f"policy has null for {name}")
        # JSON has one kind of number: 10.0 is 10.
        if isinstance(members[name], float) and members[name].is_integer():
            members[name] = int(members[name])
    for name in ("issuer", "audience"):
        if name not in members:
            raise ConfigurationError(f"policy lacks {name}")
    verifier = _Verifier(
        **{_PARAMETERS[name]: value for name, value in members.items()}, clock=lambda: verifier._now
    )
    return verifier


def _describe(principal: Principal) -> dict[str, Any]:
    return {
        "subject": principal.subject,
        "session_id": principal.session_id,
        "token_id": principal.token_id,
        "issued_at": principal.issued_at,
        "expires_at": principal.expires_at,
        "claims": dict(principal.claims),
    }
