"""Where the controller of a project listens: a Unix socket, or a named pipe on Windows.

``.dtui/controller.json``, which only the user can read, has the place and a token. The socket lies in a new
folder that only the user can enter. A pipe's name is random, so that no other account can have made it
before, and other accounts cannot write to it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from agent import durable
from fleet.controller.wire import MAX_LINE, Connection
from fleet.private_files import read_private

FILE = "controller.json"
#: A path of a Unix socket has 107 bytes at most.
_MAX_PATH = 100
Serve = Callable[[Connection], Awaitable[None]]


class Address(Struct, frozen=True, kw_only=True):
    """The contents of the file; ``place`` is a path or the name of a pipe."""

    place: str
    token: str
    pid: int


def read_address(home: Path) -> Address | None:
    """Return the address of the project's controller, None without a readable one."""
    try:
        return msgspec.json.decode(read_private(home / FILE), type=Address)
    except (OSError, ValueError):
        return None


async def connect(address: Address) -> Connection:
    """Connect to the controller; raises OSError when there is none."""
    if sys.platform == "win32":
        loop = asyncio.get_running_loop()
        assert isinstance(loop, asyncio.ProactorEventLoop)
        reader = asyncio.StreamReader(limit=MAX_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.create_pipe_connection(lambda: protocol, address.place)
        return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
    return Connection(*await asyncio.open_unix_connection(address.place, limit=MAX_LINE))


class Listener:
    """Listens for clients, and keeps the address file. Use as ``async with``."""

    def __init__(self, home: Path, serve: Serve) -> None:
        self._home = home
        self._serve = serve
        self._folder: Path | None = None
        self._close: Callable[[], None] = lambda: None
        self.token = secrets.token_hex(32)

    async def __aenter__(self) -> Listener:
        """Begin to listen; raises OSError."""
        place = await self._listen()
        address = Address(place=place, token=self.token, pid=os.getpid())
        durable.write(os.fspath(self._home / FILE), msgspec.json.encode(address))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; connections stay open. Safe to call twice."""
        self._close()
        self._close = lambda: None
        known = read_address(self._home)
        if known is not None and known.token == self.token:
            with suppress(OSError):
                durable.remove(os.fspath(self._home / FILE))
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _listen(self) -> str:
        if sys.platform == "win32":
            loop = asyncio.get_running_loop()
            assert isinstance(loop, asyncio.ProactorEventLoop)
            pipe = rf"\\.\pipe\dtui-{secrets.token_hex(16)}"

            def protocol() -> asyncio.StreamReaderProtocol:
                return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=MAX_LINE), self._accept)

            (pipe_server,) = await loop.start_serving_pipe(protocol, pipe)
            self._close = pipe_server.close
            return pipe
        self._folder = _new_folder()
        place = self._folder / "control"
        server = await asyncio.start_unix_server(self._accept, place, limit=MAX_LINE)
        place.chmod(0o600)
        self._close = server.close
        return str(place)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(Connection(reader, writer))


def _new_folder() -> Path:
    """Return a new folder for a socket that only the user can enter; raises OSError."""
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 -- mkdtemp
        if base and len(os.fsencode(base)) < _MAX_PATH - 30 and _is_safe(base):
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="dtui-", dir=base))
    raise OSError(errno.ENOENT, "no folder for a socket")


def _is_safe(base: str) -> bool:
    """Return whether other users cannot replace a folder in ``base``."""
    try:
        found = Path(base).stat()
    except OSError:
        return False
    sticky = bool(found.st_mode & stat.S_ISVTX)
    return stat.S_ISDIR(found.st_mode) and (found.st_uid == os.geteuid() or sticky)
