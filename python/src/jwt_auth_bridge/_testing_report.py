"""What ``assert_isolated`` found, for people and for programs.

Private half of the annex ``testing``. A finding names the operation, who asked, what was sent, what came
back, why that leaks and what to do. No finding holds a token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

CURES: Final[Mapping[str, str]] = {
    "open": (
        "Guard the route: Depends(bridge.path_user) on its router where the path names a user, else "
        "Depends(bridge.current_user); and look rows up by owner and ID together."
    ),
    "foreign_data": "Filter the query by principal.subject, never by what the request says.",
    "changed": (
        "Put the owner into the WHERE of every update and delete, and take the owner of a new row from the "
        "principal, never from path, query, header or body."
    ),
    "distinguishable": (
        "Answer a foreign row like one that does not exist, byte for byte: look it up by owner and ID "
        "together and answer 404; begin unique constraints with the owner; look references up as the caller."
    ),
    "not_exercised": (
        "Give a body, query or path that works, as examples={...}, or rows of each user, as create=...; or "
        "name the operation in skip={...} with a reason."
    ),
}
"""Reason to what is to be done about it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not isolated, or not proved to be.

    Attributes:
        operation: ``PUT /api/{user_id}/tasks/{task_id}``.
        reason: ``open`` (no refusal), ``foreign_data`` (the answer holds another user's data), ``changed``
            (another user's data is not what it was), ``distinguishable`` (a foreign value is answered
            otherwise than a missing one), ``not_exercised`` (never worked for its owner, so that nothing is
            proved).
        as_user: who asked: a user, ``nobody``, or which bad token.
        sent: the request, without its credentials.
        came_back: status, and the beginning of the body.
        why: one sentence.
        again: how many more requests showed the same.
    """

    operation: str
    reason: str
    as_user: str
    sent: str
    came_back: str
    why: str
    again: int = 0

    @property
    def cure(self) -> str:
        """What to do."""
        return CURES[self.reason]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``assert_isolated`` did and found.

    Attributes:
        findings: in the order of the operations; empty where everything is isolated.
        operations: what was played.
        skipped: operation to the reason that the integrator gave.
        unseen: served, and not played: WebSockets, mounted apps without a document.
        requests: how many were sent.
    """

    findings: tuple[Finding, ...]
    operations: tuple[str, ...]
    skipped: Mapping[str, str]
    unseen: tuple[str, ...]
    requests: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        """The table."""
        played = f"{len(self.operations)} operations, {self.requests} requests"
        rows = [
            f"users are kept apart ({played})"
            if self.ok
            else f"users are not kept apart, or not proved to be: {len(self.findings)} findings ({played})"
        ]
        for number, finding in enumerate(self.findings, start=1):
            again = f" (and {finding.again} more requests like it)" if finding.again else ""
            rows += [
                "",
                f"{number}. {finding.operation}: {finding.reason}",
                f"   as         {finding.as_user}",
                f"   sent       {finding.sent}",
                f"   came back  {finding.came_back}{again}",
                f"   why        {finding.why}",
                f"   do         {finding.cure}",
            ]
        if self.skipped:
            rows += ["", "Skipped, so not proved:"]
            rows += [f"   {name}: {reason}" for name, reason in self.skipped.items()]
        if self.unseen:
            rows += ["", "Served, and not played:", *(f"   {name}" for name in self.unseen)]
        return "\n".join(rows)


class Findings:
    """Collects findings; what is the same again is counted."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Finding] = {}

    def add(self, finding: Finding, kind: str) -> None:
        """Adds one; ``kind`` says which others are the same: by operation, reason and kind."""
        key = finding.operation, finding.reason, kind
        first = self._found.get(key)
        self._found[key] = finding if first is None else replace(first, again=first.again + 1)

    def all(self) -> tuple[Finding, ...]:
        """Every one, in the order of coming."""
        return tuple(self._found.values())


class IsolationError(AssertionError):
    """Somebody can reach somebody else's data; ``report`` has it for programs."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(str(report))
