"""``agent.pyz peer``: one end of the ways between nodes, run by the training interpreter.

A firewall may let one program through and not another, so who listens and who connects is the very
interpreter that will train. Commands come as JSON lines on stdin, answers go as JSON lines to stdout;
the end of stdin ends everything, and so does the time limit of ``listen``.

=========== =========================================== ================================================
command     keys                                        answers
=========== =========================================== ================================================
``listen``  ``address ports token seconds``             ``{"listening": {asked: {"port", "error"}}}``
``reach``   ``targets: [{peer, address, ports}] token``  ``{"peer", "ports": {asked: {"outcome", "ms"}}}``
``measure`` ``peer address port token bytes seconds``   ``{"peer", "rtt_ms", "bytes", "seconds", "error"}``
=========== =========================================== ================================================

A listener answers a connection that begins with the token (16 bytes) and nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import struct
import sys
import time
from contextlib import suppress
from typing import Any, Dict, List, Optional, Tuple

from agent.checks.errors import outcome_of
from agent.checks.flow import MOST_SECONDS, drink, pour
from agent.checks.portbinding import reason

#: Another class than the builtin one before Python 3.11.
Timeout = asyncio.TimeoutError
Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]

#: Windows takes two seconds to report a refusal: it asks three times.
CONNECT_SECONDS = 3.0
# All times here are `perf_counter`'s: `monotonic` ticks every 16 ms on Windows.
#: A lost SYN is repeated after 1 s; later attempts beside it make a lossy link look lossy, not closed.
ATTEMPTS = (0.0, 0.5, 1.0)
_ANSWER_SECONDS = 3.0
_AT_ONCE = 64
_CLIENTS = 512
_ECHOES = 8
_HELLO, _MEASURE = b"H", b"M"


def proof(token: bytes, port: int) -> bytes:
    """Return what a listener answers: it knows the token and which port was meant."""
    return hmac.new(token, b"dtui peer %d" % port, hashlib.sha256).digest()


class Listener:
    """The ports that are open for a moment."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._servers: List[asyncio.AbstractServer] = []
        self._clients = 0

    async def open(self, address: str, port: int) -> Dict[str, Any]:
        """Return ``{"port", "error"}``: the port that is open, or why there is none."""
        try:
            server = await asyncio.start_server(
                self._serve, address, port, backlog=256, reuse_address=os.name != "nt"
            )
        except OSError as error:
            return {"port": None, "error": reason(error)}
        self._servers.append(server)
        return {"port": server.sockets[0].getsockname()[1], "error": None}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= _CLIENTS:
                await asyncio.wait_for(self._talk(reader, writer), MOST_SECONDS + _ANSWER_SECONDS)
        except (OSError, Timeout, asyncio.IncompleteReadError):
            pass
        finally:
            self._clients -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readexactly(17), _ANSWER_SECONDS)
        if not hmac.compare_digest(head[:16], self._token):
            return
        port = writer.get_extra_info("sockname")[1]
        writer.write(proof(self._token, port))
        await writer.drain()
        if head[16:] == _MEASURE:
            size, milliseconds = struct.unpack(">II", await reader.readexactly(8))
            for _ in range(_ECHOES):
                writer.write(await reader.readexactly(1))
                await writer.drain()
            await pour(reader, writer, size, milliseconds / 1000)


class Caller:
    """Connects to the listeners of other nodes."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def reach(self, address: str, ports: Dict[str, int]) -> Dict[str, Dict[str, Any]]:
        """Return ``{asked: {"outcome", "ms"}}`` for the ports of one node, all tried at once."""
        found = await asyncio.gather(*(self._try(address, port) for port in ports.values()))
        return dict(zip(ports, found))

    async def _try(self, address: str, port: int) -> Dict[str, Any]:
        async with self._turn:
            begun = time.perf_counter()
            try:
                reader, writer = await connect(address, port)
            except (OSError, Timeout) as error:
                return {"outcome": outcome_of(_as_timeout(error)), "ms": None}
            ms = round((time.perf_counter() - begun) * 1000, 3)
            try:
                return {"outcome": await self._greet(reader, writer, port, _HELLO), "ms": ms}
            finally:
                writer.close()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, kind: bytes
    ) -> str:
        try:
            writer.write(self._token + kind)
            await writer.drain()
            answer = await asyncio.wait_for(reader.readexactly(32), _ANSWER_SECONDS)
        except asyncio.IncompleteReadError as error:
            return "foreign" if error.partial else "silent"
        except (OSError, Timeout):
            return "silent"
        return "open" if hmac.compare_digest(answer, proof(self._token, port)) else "foreign"

    async def measure(self, address: str, port: int, size: int, seconds: float) -> Dict[str, Any]:
        """Return round trips, and how fast ``size`` bytes come from there in ``seconds`` at most."""
        answer: Dict[str, Any] = {"rtt_ms": [], "bytes": 0, "seconds": 0.0, "error": None}
        try:
            reader, writer = await connect(address, port)
        except (OSError, Timeout) as error:
            answer["error"] = outcome_of(_as_timeout(error))
            return answer
        try:
            answer["error"] = await self._greet(reader, writer, port, _MEASURE)
            if answer["error"] == "open":
                answer["error"] = None
                writer.write(struct.pack(">II", size, int(seconds * 1000)))
                answer["rtt_ms"] = [await _echo(reader, writer) for _ in range(_ECHOES)]
                answer["bytes"], answer["seconds"] = await drink(writer, seconds + _ANSWER_SECONDS)
        except (OSError, Timeout, asyncio.IncompleteReadError):
            answer["error"] = "silent"
        finally:
            writer.close()
        return answer


def _as_timeout(error: BaseException) -> BaseException:
    return TimeoutError() if isinstance(error, Timeout) else error


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    begun = time.perf_counter()
    writer.write(b".")
    await asyncio.wait_for(reader.readexactly(1), _ANSWER_SECONDS)
    return round((time.perf_counter() - begun) * 1000, 3)


async def connect(address: str, port: int) -> Streams:
    """Return a connection; raises OSError or Timeout when every attempt failed.

    A refusal counts only once all have failed: a lost packet must not decide.
    """
    waiting = {asyncio.ensure_future(_attempt(address, port, delay)) for delay in ATTEMPTS}
    failure: Optional[BaseException] = None
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            made = [task.result() for task in done if task.exception() is None]
            for _, spare in made[1:]:
                spare.close()
            if made:
                return made[0]
            for task in done:
                if failure is None or isinstance(failure, Timeout):
                    failure = task.exception()
        assert failure is not None
        raise failure
    finally:
        for task in waiting:
            task.cancel()


async def _attempt(address: str, port: int, delay: float) -> Streams:
    await asyncio.sleep(delay)
    return await asyncio.wait_for(asyncio.open_connection(address, port), CONNECT_SECONDS)


class _Peer:
    def __init__(self) -> None:
        self._listener: Optional[Listener] = None
        self._deadline: Optional[asyncio.TimerHandle] = None

    async def obey(self, command: Dict[str, Any]) -> None:
        token = bytes.fromhex(command["token"])
        if command["do"] == "listen":
            self._listener = Listener(token)
            # Even if whoever started us has gone without closing our stdin.
            self._deadline = asyncio.get_running_loop().call_later(float(command["seconds"]), os._exit, 0)
            listening = {
                str(port): await self._listener.open(command["address"], int(port))
                for port in command["ports"]
            }
            _say({"listening": listening})
        elif command["do"] == "reach":
            caller = Caller(token)

            async def look(target: Dict[str, Any]) -> None:
                ports = {asked: int(port) for asked, port in target["ports"].items()}
                _say({"peer": target["peer"], "ports": await caller.reach(target["address"], ports)})

            await asyncio.gather(*(look(target) for target in command["targets"]))
            _say({"done": "reach"})
        elif command["do"] == "measure":
            found = await Caller(token).measure(
                command["address"], int(command["port"]), int(command["bytes"]), float(command["seconds"])
            )
            _say({"peer": command["peer"], **found})


def _say(answer: Dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def _run() -> None:
    peer = _Peer()
    loop = asyncio.get_running_loop()
    while True:
        # A thread reads: pipes are not waited for alike on all systems.
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        with suppress(asyncio.CancelledError):
            await peer.obey(json.loads(line))


def main() -> int:
    """Obey the commands on stdin until it ends."""
    asyncio.run(_run())
    # Open connections of peers must not keep us.
    sys.stdout.flush()
    os._exit(0)
