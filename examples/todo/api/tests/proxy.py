"""A TCP proxy in front of PostgreSQL that refuses, hangs and cuts: outages without a hand on the server."""

import asyncio
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards to ``host:port`` from a port of its own, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._flow = asyncio.Event()
        self._flow.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def url(self, url: str) -> str:
        """The same database, by way of this proxy."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}").geturl()

    def start(self) -> None:
        """Start the thread and listen."""
        self._thread.start()
        self.listen()

    def listen(self) -> None:
        """Accept connections, always on the same port."""
        self._run(self._listen())

    def refuse(self) -> None:
        """Cut every connection and accept none."""
        self._run(self._refuse())

    def cut(self) -> None:
        """Cut every connection, in the middle of whatever it does; accept new ones."""
        self._run(self._cut())

    def hang(self) -> None:
        """Forward nothing any more, close nothing."""
        self._run(self._set(False))

    def flow(self) -> None:
        """Forward again."""
        self._run(self._set(True))

    def stop(self) -> None:
        """Cut everything and end the thread."""
        self._run(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set(self, flowing: bool) -> None:
        if flowing:
            self._flow.set()
        else:
            self._flow.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        other = None
        try:
            other_reader, other = await asyncio.open_connection(*self._target)
            self._writers.add(other)
            await asyncio.gather(self._pump(reader, other), self._pump(other_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, other):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flow.wait()
            writer.write(data)
            with suppress(OSError):
                await writer.drain()
        writer.close()
