"""Judging answers: is it a refusal, does it hold somebody's data, can two answers be told apart?

Private half of the annex ``testing``. Pure functions on replies. Law: ``access-token.md`` "HTTP answers": a
foreign row is answered byte for byte like one that does not exist.

Deliberately not judged: how long an answer takes.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from ._testing_http import Reply

REFUSALS: Final = frozenset((401, 403, 404, 405))
"""Statuses that let nobody in."""

_SENT: Final = "{sent}"
_VOLATILE: Final = frozenset(("date",))

Leaf = tuple[str, ...]


class Noise(NamedTuple):
    """What differs between two answers to the same question, and so tells nothing."""

    headers: frozenset[str] = frozenset()
    leaves: frozenset[Leaf] = frozenset()
    body: bool = False


def noise_between(first: Reply, second: Reply) -> Noise:
    """Finds what an app answers differently each time: a request ID, a clock, an ID that it makes."""
    ours, theirs = _fields(first), _fields(second)
    headers = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    one, two = _leaves(first), _leaves(second)
    if one is None or two is None:
        return Noise(frozenset(headers), body=first.body != second.body)
    return Noise(frozenset(headers), frozenset(_general(leaf) for leaf in _unequal(one, two)))


def difference(first: Reply, second: Reply, noise: Noise | None = None) -> str | None:
    """Says by what one can tell two answers apart, or ``None``.

    Example:
        >>> difference(Reply(404, body=b"no such task"), Reply(404, body=b"not yours"))
        'the body'
        >>> difference(Reply(403), Reply(404))
        'the status, 403 and 404'
    """
    noise = noise or Noise()
    if first.status != second.status:
        return f"the status, {first.status} and {second.status}"
    ours, theirs = _fields(first), _fields(second)
    for name in sorted((ours.keys() | theirs.keys()) - noise.headers):
        if ours.get(name) != theirs.get(name):
            return f"the header {name}"
    one, two = _leaves(first), _leaves(second)
    if one is None or two is None:
        return "the body" if first.body != second.body and not noise.body else None
    for leaf in sorted(_unequal(one, two)):
        if _general(leaf) not in noise.leaves:
            return f"the body, at {'.'.join(leaf) or 'its top'}"
    return "the body's bytes" if not noise.leaves and first.body != second.body else None


def neutral(reply: Reply, sent: Collection[str]) -> Reply:
    """Takes out of an answer what only repeats the question."""
    body = reply.body
    headers = reply.headers
    for value in sorted(
        {form for text in sent for form in (text, quote(text, safe=""))}, key=len, reverse=True
    ):
        if len(value) > 1:
            body = body.replace(value.encode("utf-8", "surrogatepass"), _SENT.encode())
            headers = tuple((name, field.replace(value, _SENT)) for name, field in headers)
    return replace(reply, headers=headers, body=body)


def data_of(reply: Reply, marks: Collection[str], subject: str, sent: str) -> str | None:
    """Finds somebody's data in an answer; what the question itself said does not count.

    Args:
        reply: the answer.
        marks: texts that only this user's data holds.
        subject: the user's ID; counts as a whole JSON string, or where it is long enough not to be a word.
        sent: the text of the question.

    Returns:
        What was found, in words.
    """
    said = reply.body.decode("utf-8", "replace") + "\n" + "\n".join(value for _, value in reply.headers)
    for mark in marks:
        if mark in said and mark not in sent:
            return f"what was stored by {subject}: {mark}"
    if subject not in sent and (
        subject in (_leaves(reply) or {}).values() or (len(subject) >= 16 and subject in said)
    ):
        return f"the ID of {subject}"
    return None


def names_owner(reply: Reply, names: Collection[str], subject: str) -> bool:
    """Tells whether an answer says that something belongs to this user, whoever said so first."""
    return any(
        leaf and leaf[-1] in names and value == subject for leaf, value in (_leaves(reply) or {}).items()
    )


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Visits every object of a JSON value, the outermost first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from objects_in(one)


def parsed(reply: Reply) -> Any:
    """The body as JSON, or ``None``."""
    try:
        return json.loads(reply.body)
    except ValueError:
        return None


def shown(reply: Reply) -> str:
    """An answer in a line."""
    body = reply.body.decode("utf-8", "replace").strip()
    text = body if len(body) <= 160 else f"{body[:160]}…"
    return " ".join(filter(None, (str(reply.status), f"({reply.failure})" if reply.failure else "", text)))


def _fields(reply: Reply) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in reply.headers:
        # The length of a body that is there is in the body; that of HEAD's is not.
        if name not in _VOLATILE and not (name == "content-length" and reply.body):
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


def _leaves(reply: Reply) -> dict[Leaf, Any] | None:
    value = parsed(reply)
    return None if value is None else dict(_flat(value, ()))


def _flat(value: Any, at: Leaf) -> Iterator[tuple[Leaf, Any]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _flat(one, (*at, name))
    elif isinstance(value, list) and value:
        for place, one in enumerate(value):
            yield from _flat(one, (*at, str(place)))
    else:
        yield at, repr(value) if isinstance(value, (dict, list)) else value


def _unequal(one: dict[Leaf, Any], two: dict[Leaf, Any]) -> set[Leaf]:
    nothing = object()
    return {leaf for leaf in one.keys() | two.keys() if one.get(leaf, nothing) != two.get(leaf, nothing)}


def _general(leaf: Leaf) -> Leaf:
    return tuple("*" if part.isdecimal() else part for part in leaf)
