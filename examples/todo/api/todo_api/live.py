"""Tells a user's open pages that their tasks have changed, so that they ask again.

What has changed is not said: whoever listens reads the list as always, through the guard and both walls. Each
process knows its own listeners only; several processes would pass the word on, with LISTEN and NOTIFY say.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import FrameType

from jwt_auth_bridge import Principal


class Changes:
    """Who listens, by user."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._ended = False

    def tell(self, principal: Principal) -> None:
        """Wake everybody who listens to this user's tasks."""
        for listener in self._listeners.get(principal.subject, ()):
            listener.set()

    async def watch(self, principal: Principal) -> AsyncIterator[None]:
        """Yield at once, for what was missed before, and after every change; a burst is one.

        Ends with the process, see ``until_the_end``; otherwise whoever iterates ends it.
        """
        change = asyncio.Event()
        change.set()
        listeners = self._listeners.setdefault(principal.subject, set())
        listeners.add(change)
        try:
            while True:
                await change.wait()
                if self._ended:
                    return
                change.clear()
                yield
        finally:
            listeners.discard(change)
            if not listeners:
                self._listeners.pop(principal.subject, None)

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """End what is watched when the process is told to end: a server waits for its open answers first."""
        if threading.current_thread() is not threading.main_thread():
            yield  # a test's; signals are the main thread's
            return
        loop = asyncio.get_running_loop()

        def end(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._end)
            if callable(server := before[signal.Signals(number)]):
                server(number, frame)

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self) -> None:
        self._ended = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.set()
