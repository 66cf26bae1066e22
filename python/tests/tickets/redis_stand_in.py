"""As much of a Redis as the tests of a store need, for machines that have none; RESP2, in a thread.

``npm run test:system -- redis`` runs the same tests against a real one.
"""

import asyncio
import contextlib
import threading


class StandIn:
    """Commands are carried out one after the other, as Redis does."""

    def __init__(self):
        self.values = {}

    def answer(self, name, *words):
        if name == b"SET":
            key, value, *options = words
            assert [option.upper() for option in options[:2]] == [b"NX", b"PX"], options
            if key in self.values:
                return b"$-1\r\n"
            self.values[key] = value
            return b"+OK\r\n"
        if name == b"GETDEL":
            value = self.values.pop(words[0], None)
            return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)
        if name in (b"CLIENT", b"SELECT"):
            return b"+OK\r\n"
        return b"-ERR unknown command\r\n"

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                words = []
                for _ in range(count):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                writer.write(self.answer(words[0].upper(), *words[1:]))
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def serving():
    """Gives the port."""
    ports, ended = [], threading.Event()
    listening = threading.Event()

    async def run():
        async with await asyncio.start_server(StandIn().serve, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            listening.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    try:
        assert listening.wait(20)
        yield ports[0]
    finally:
        ended.set()
        thread.join(20)
        assert not thread.is_alive()
