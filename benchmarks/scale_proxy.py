"""A proxy on loopback that delays what it passes on, holds it back, or drops connections.

:mod:`benchmarks.scale_fleet` runs it as a process, so that it does not compete for the interpreter
of what it measures. It ends with its standard input.
"""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from typing import Any

# No run takes longer.
_MAX_SECONDS = 4 * 3600
_PIECE = 1 << 16
# Pieces on their way in one direction; the sender waits then.
_MAX_PIECES = 4096


class DelayingProxy:
    """Passes bytes on to a port on loopback.

    :param port: that of the server.
    """

    def __init__(self, port: int) -> None:
        self.delay: float = 0.0  #: seconds, in each direction
        self.life: float | None = None  #: seconds after which a connection is dropped
        self._port = port
        self._is_open = asyncio.Event()
        self._is_open.set()

    def set(self, *, delay: float = 0.0, life: float | None = None, hold: bool = False) -> None:
        """Set how it behaves from now on; a connection keeps its life."""
        self.delay, self.life = delay, life
        (self._is_open.clear if hold else self._is_open.set)()

    async def accept(self, client_in: StreamReader, client_out: StreamWriter) -> None:
        """Serve one connection."""
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            client_out.transport.abort()
            return
        directions = (client_in, server_out), (server_in, client_out)
        tasks = [asyncio.create_task(self._pass_on(*each)) for each in directions]
        await asyncio.wait(tasks, timeout=self.life, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for writer in (server_out, client_out):
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, source: StreamReader, target: StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_PIECES)

        async def send() -> None:
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(due - clock())
                await self._is_open.wait()
                if not piece:
                    return
                target.write(piece)
                await target.drain()

        sender = asyncio.create_task(send())
        try:
            piece = b"-"
            while piece:
                piece = await source.read(_PIECE)
                # Each piece has a time of its own: a delay does not make the network narrower.
                await pieces.put((clock() + self.delay, piece))
            await sender
        finally:
            sender.cancel()


async def _run(port: int) -> None:
    proxy, end = DelayingProxy(port), asyncio.Event()
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)

    def read_command() -> None:
        line = sys.stdin.readline()
        if line:
            settings: dict[str, Any] = json.loads(line)
            proxy.set(**settings)
            print("null", flush=True)
        else:
            end.set()

    asyncio.get_running_loop().add_reader(sys.stdin, read_command)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server, asyncio.timeout(_MAX_SECONDS):
        await end.wait()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1])))
