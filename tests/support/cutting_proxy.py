"""A proxy between a client and a server that breaks connections at a chosen moment, on either way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CuttingProxy:
    """Hands bytes on, until it is told to cut: `answers` more of the server's answers pass, then one is withheld and
    all connections break. Connections made later work again, unless it is `refusing`.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.answers: int | None = None
        self.refusing = False
        self.cuts = 0

    def cut(self) -> None:
        self.answers = None
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._hand_on(reader, server_writer, of_server=False), self._hand_on(server_reader, writer, of_server=True)
        )

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, of_server: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if of_server and self.answers is not None:
                    if self.answers == 0:
                        self.cut()
                        return
                    self.answers -= 1
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cutting_proxy(port: int) -> AsyncIterator[CuttingProxy]:
    """A proxy in front of this port of this machine."""
    proxy = CuttingProxy(port)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.cut()
        server.close()
        await asyncio.gather(*tasks)
