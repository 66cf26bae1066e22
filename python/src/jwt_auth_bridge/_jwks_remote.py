"""The keys of one key-set URL, kept: fetched at most once at a time, at most so often, and never on the way.

Private half of the room ``jwks``: a machine of few states, whose clock and whose fetch are given to it. A
failed fetch never takes away keys that are in hand. Law: RFC 9111 §4.2, ``access-token.md`` "Verification
keys".

Deliberately not done: nothing in a token but its ``kid`` has a part in what is fetched (RFC 8725 §3.10).
"""

import asyncio
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Final

from .errors import KeySetUnavailableError
from .jwk import VerificationKey
from .jwks import Response, cache_age, failure, judge_response, list_key_ids, without_query
from .profile import KEY_SET_COOL_DOWN, KEY_SET_RETRY, KEY_SET_TIMEOUT, MAX_KEY_SET_STALENESS

LOGGER: Final = logging.getLogger("jwt_auth_bridge")

_TOO_LATE: Final = f"no whole answer within {KEY_SET_TIMEOUT} seconds"
_NONE: Final[Mapping[str, VerificationKey]] = {}
_PATIENCE: Final = KEY_SET_TIMEOUT + 1
"""For how long somebody waits for a fetch that does not keep to its own time, in seconds."""


class RemoteKeySet:
    """Keeps the keys of one key-set URL; nothing is fetched before the first key is asked for.

    - Fresh: a known ``kid`` is answered from hand.
    - Stale (older than its answer's age): the same, and one fetch starts that nobody waits for. Keys that
      nobody could renew for a day more are dropped.
    - An unknown ``kid`` waits for the fetch that is under way, or starts one, at most every 30 seconds;
      while no key is in hand, 5 seconds after the last one failed.

    One object serves any number of threads and event loops.

    Args:
        url: judged by ``judge_key_set_url``.
        fetch: starts one fetch of a URL and returns at once.
        clock: gives seconds and only goes forward.

    *Does not* cancel a fetch because somebody who waited for it went away.

    Example:
        >>> RemoteKeySet("https://app.example.com/api/auth/jwks", lambda url: Future()).key_ids
        ()
    """

    def __init__(
        self, url: str, fetch: Callable[[str], Future[Response]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.url = url
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.RLock()
        self._keys = _NONE
        self._fresh_until = -math.inf
        self._attempted_at = -math.inf
        self._failed_at = -math.inf
        self._in_flight: Future[None] | None = None
        # Why the last attempt failed, as a sentence; None where it succeeded.
        self._failed: str | None = None
        _REMOTES.add(self)

    def forget_attempt(self) -> None:
        """Begins anew in a forked process, which has neither its parent's thread nor who held the lock."""
        self._lock = threading.RLock()
        self._in_flight = None
        self._attempted_at = self._failed_at = -math.inf

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ``kid`` of every key in hand; asking fetches nothing."""
        return tuple(self._keys) if self._clock() < self._fresh_until + MAX_KEY_SET_STALENESS else ()

    def find(self, key_id: str) -> VerificationKey | None:
        """Finds a key that is in hand, at once; has what is stale fetched in the background."""
        if self._clock() >= self._fresh_until:
            self._tend()
        return self._keys.get(key_id)

    def renew(self) -> None:
        """Waits for the fetch that is under way or due, so that ``find`` can be asked again.

        Blocks this thread, for 6 seconds at most; returns at once where no fetch is due.
        """
        attempt = self._attempt()
        try:
            if attempt is not None:
                attempt.result(_PATIENCE)
        except TimeoutError:
            self._fail(attempt, _TOO_LATE)

    async def renew_async(self) -> None:
        """Does what ``renew`` does, and blocks no event loop."""
        attempt = self._attempt()
        try:
            if attempt is not None:
                async with asyncio.timeout(_PATIENCE):
                    # A running future can not be cancelled: who goes away ends their own waiting alone.
                    await asyncio.wrap_future(attempt)
        except TimeoutError:
            self._fail(attempt, _TOO_LATE)

    def refuse_if_failed(self) -> None:
        """Tells keys that can not be had from a key that does not exist.

        Raises:
            KeySetUnavailableError: the last fetch failed.
        """
        if self._failed is not None:
            raise failure(self._failed)

    async def prefetch(self) -> None:
        """Fetches now where no key is in hand.

        Raises:
            KeySetUnavailableError: none is in hand afterwards either.
        """
        self._tend()
        if not self._keys:
            await self.renew_async()
            self.refuse_if_failed()

    def _tend(self) -> None:
        """Drops what is too old, and has what is stale fetched in the background."""
        with self._lock:
            overdue = self._clock() - self._fresh_until
            dropped = overdue >= MAX_KEY_SET_STALENESS and self._hold(_NONE, self._fresh_until)
        if dropped:
            self._announce()
        elif self._keys and overdue >= 0:
            self._attempt()

    def _attempt(self) -> Future[None] | None:
        """Gives the fetch that is under way, or starts the one that is due."""
        now, lost = self._clock(), self._in_flight
        if lost is not None and now - self._attempted_at > _PATIENCE:
            # Its own time is long over, and it has not ended: the fetch is given up for lost.
            self._fail(lost, _TOO_LATE)
        with self._lock:
            # With no key in hand the shorter gap begins where the failed attempt ended: else, while an issuer
            # answers nothing, there would always be a fetch to wait for, and never a quick answer.
            gap, since = (
                (KEY_SET_COOL_DOWN, self._attempted_at)
                if self._keys
                else (KEY_SET_RETRY, max(self._attempted_at, self._failed_at))
            )
            if self._in_flight is None and now - since >= gap:
                self._attempted_at = now
                attempt: Future[None] = Future()
                self._in_flight = attempt
                attempt.set_running_or_notify_cancel()
                self._fetch(self.url).add_done_callback(partial(self._settle, attempt))
            return self._in_flight

    def _settle(self, attempt: Future[None], answer: Future[Response]) -> None:
        try:
            status, kind, cache_control, body = answer.result()
            keys = judge_response(status, kind, body).keys
            age = cache_age(cache_control)
        except Exception as error:
            known = isinstance(error, KeySetUnavailableError)
            self._fail(attempt, str(error) if known else f"no connection ({type(error).__name__})")
            return
        with self._lock:
            if self._in_flight is not attempt:
                return
            self._in_flight = self._failed = None
            changed = self._hold(keys, self._clock() + age)
        # Before the log, which may be slow or raise.
        attempt.set_result(None)
        if changed:
            self._announce()

    def _fail(self, attempt: Future[None] | None, reason: str) -> None:
        failed = f"the key set at {without_query(self.url)} can not be used: {reason}"
        with self._lock:
            if attempt is None or self._in_flight is not attempt:
                return
            self._in_flight = None
            self._failed = failed
            self._failed_at = self._clock()
        attempt.set_result(None)
        LOGGER.warning("%s", failed)

    def _hold(self, keys: Mapping[str, VerificationKey], fresh_until: float) -> bool:
        changed = keys.keys() != self._keys.keys()
        # In this order: who sees the second without the lock sees the first.
        self._keys = keys
        self._fresh_until = fresh_until
        return changed

    def _announce(self) -> None:
        LOGGER.info("key IDs %s", list_key_ids(self._keys))


_REMOTES: Final[weakref.WeakSet[RemoteKeySet]] = weakref.WeakSet()


def _forget_attempts() -> None:
    for remote in list(_REMOTES):
        remote.forget_attempt()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forget_attempts)
