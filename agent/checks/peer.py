"""``agent.pyz peer``: one end of the tested routes between nodes, run by the training interpreter.

A firewall may let one program through and not another, so who listens and who connects is the very
interpreter that will train. Commands come as JSON lines on stdin, answers go as JSON lines to stdout;
the end of stdin ends everything, and so does the time limit of ``listen``.

=========== =========================================== ================================================
command     keys                                        answers
=========== =========================================== ================================================
``listen``  ``address ports key seconds``               ``{"listening": {asked: {"port", "error"}}}``
``reach``   ``targets: [{peer, address, ports}] key``    ``{"peer", "ports": {asked: {"outcome", "ms"}}}``,
                                                        last ``{"done", "lag"}``
``measure`` ``peer address port key bytes seconds``     ``{"peer", "rtt_ms", "bytes", "seconds", "error"}``
=========== =========================================== ================================================

The console makes the ``key`` (32 bytes) for one probe and gives it to both ends over their logins; it never
travels between them. Who connects sends a nonce; the listener proves itself first, with a nonce of its own
and an HMAC over both; only then does the caller answer with its own HMAC and what it wants:

    caller   -> listener   nonce (16)
    listener -> caller     nonce (16), HMAC-SHA256(key, "listener", address, port, both nonces)
    caller   -> listener   HMAC-SHA256(key, "caller", kind, address, port, both nonces), kind (1)

Address and port are the listener's as each end sees them, so an answer that is relayed from another
machine is not accepted. A connection without the key receives a random number and is closed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import os
import struct
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Dict, List, Optional, Tuple

from agent.checks.errors import outcome_of
from agent.checks.flow import MOST_SECONDS, receive_bytes, send_bytes
from agent.checks.portbinding import reason

#: Another class than the builtin one before Python 3.11.
Timeout = asyncio.TimeoutError
Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]

#: Windows takes two seconds to report a refusal: it asks three times.
CONNECT_SECONDS = 3.0
# All times here are `perf_counter`'s: `monotonic` ticks every 16 ms on Windows.
#: A lost SYN is repeated after 1 s; with further attempts, a lossy link is not reported as closed.
ATTEMPTS = (0.0, 0.5, 1.0)
_ANSWER_SECONDS = 3.0
_AT_ONCE = 64
#: Concurrent connections, of all machines and of one: a stranger must not block the others.
_CLIENTS = 512
_CLIENTS_OF_ONE = 256
#: Bytes that may wait unread.
_UNREAD = 4096
#: Listeners close after this many seconds at the latest, whatever the console requests.
_LONGEST = 300.0
_MOST_PORTS = 64
_ECHOES = 8
_LAG_EVERY = 0.1
_HELLO, _MEASURE = b"H", b"M"
_NONCE, _KEY, _MAC = 16, 32, hashlib.sha256().digest_size


def proof(key: bytes, role: bytes, address: str, port: int, nonces: bytes) -> bytes:
    """Return the HMAC by which one end proves to the other that it has the key.

    ``role`` is ``listener``, or ``caller`` with the kind of request; ``address`` and ``port`` are the
    listener's; ``nonces`` are the caller's and the listener's.
    """
    place = ipaddress.ip_address(address.partition("%")[0]).packed + struct.pack(">H", port)
    text = b"dtui peer " + role + b"\0" + place + nonces
    return hmac.new(key, text, hashlib.sha256).digest()


def key_of(text: object) -> bytes:
    """Return the key that a command carries in hex; raises ValueError."""
    key = bytes.fromhex(str(text))
    if len(key) != _KEY:
        raise ValueError("a key has %d bytes" % _KEY)
    return key


class Listener:
    """The ports that are open for the probe."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._servers: List[asyncio.AbstractServer] = []
        self._clients: Counter[str] = Counter()

    async def open(self, address: str, port: int) -> Dict[str, Any]:
        """Return ``{"port", "error"}``: the port that is open at this one address, or why there is none."""
        if _is_every_address(address):
            return {"port": None, "error": "all-addresses"}
        try:
            server = await asyncio.start_server(
                self._serve, address, port, backlog=256, reuse_address=os.name != "nt", limit=_UNREAD
            )
        except OSError as error:
            return {"port": None, "error": reason(error)}
        self._servers.append(server)
        return {"port": server.sockets[0].getsockname()[1], "error": None}

    def close(self) -> None:
        """Close every port."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = (writer.get_extra_info("peername") or ("",))[0]
        self._clients[source] += 1
        try:
            if sum(self._clients.values()) <= _CLIENTS and self._clients[source] <= _CLIENTS_OF_ONE:
                await asyncio.wait_for(self._talk(reader, writer), MOST_SECONDS + _ANSWER_SECONDS)
        except (OSError, Timeout, asyncio.IncompleteReadError):
            writer.transport.abort()  # `close` would wait for a client that does not read
        finally:
            self._clients[source] -= 1
            if not self._clients[source]:
                del self._clients[source]
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("sockname")[:2]
        nonce = os.urandom(_NONCE)
        nonces = await asyncio.wait_for(reader.readexactly(_NONCE), _ANSWER_SECONDS) + nonce
        writer.write(nonce + proof(self._key, b"listener", address, port, nonces))
        answer = await asyncio.wait_for(reader.readexactly(_MAC + 1), _ANSWER_SECONDS)
        kind = answer[_MAC:]
        if not hmac.compare_digest(answer[:_MAC], proof(self._key, b"caller" + kind, address, port, nonces)):
            return
        if kind == _MEASURE:
            size, milliseconds = struct.unpack(">II", await reader.readexactly(8))
            for _ in range(_ECHOES):
                writer.write(await reader.readexactly(1))
                await writer.drain()
            await send_bytes(reader, writer, size, milliseconds / 1000)


def _is_every_address(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return not address  # a name is resolved by the system


class Caller:
    """Connects to the listeners of other nodes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def reach(self, address: str, ports: Dict[str, int]) -> Dict[str, Dict[str, Any]]:
        """Return ``{asked: {"outcome", "ms"}}`` for the ports of one node, tested concurrently."""
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
                return {"outcome": await self._greet(reader, writer, _HELLO), "ms": ms}
            finally:
                writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: bytes) -> str:
        """Return the outcome; unless it is ``open``, nothing that the key went into has been sent."""
        nonce = os.urandom(_NONCE)
        try:
            writer.write(nonce)
            answer = await asyncio.wait_for(reader.readexactly(_NONCE + _MAC), _ANSWER_SECONDS)
        except asyncio.IncompleteReadError as error:
            return "foreign" if error.partial else "silent"
        except (OSError, Timeout):
            return "silent"
        address, port = writer.get_extra_info("peername")[:2]
        nonces = nonce + answer[:_NONCE]
        if not hmac.compare_digest(answer[_NONCE:], proof(self._key, b"listener", address, port, nonces)):
            return "foreign"
        with suppress(OSError):
            writer.write(proof(self._key, b"caller" + kind, address, port, nonces) + kind)
        return "open"

    async def measure(self, address: str, port: int, size: int, seconds: float) -> Dict[str, Any]:
        """Return round trips, and how fast ``size`` bytes arrive in ``seconds`` at most."""
        answer: Dict[str, Any] = {"rtt_ms": [], "bytes": 0, "seconds": 0.0, "error": None}
        try:
            reader, writer = await connect(address, port)
        except (OSError, Timeout) as error:
            answer["error"] = outcome_of(_as_timeout(error))
            return answer
        try:
            answer["error"] = await self._greet(reader, writer, _MEASURE)
            if answer["error"] == "open":
                answer["error"] = None
                writer.write(struct.pack(">II", size, int(seconds * 1000)))
                answer["rtt_ms"] = [await _echo(reader, writer) for _ in range(_ECHOES)]
                answer["bytes"], answer["seconds"] = await receive_bytes(writer, seconds + _ANSWER_SECONDS)
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
        self._lag = 0.0

    async def watch_lag(self) -> None:
        """Measure how late this process gets its turns, for as long as it runs."""
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_LAG_EVERY)
            self._lag = max(self._lag, time.perf_counter() - begun - _LAG_EVERY)

    async def obey(self, command: Dict[str, Any]) -> None:
        key = key_of(command["key"])
        if command["do"] == "listen":
            if self._listener is not None or len(command["ports"]) > _MOST_PORTS:
                raise ValueError("one command opens all ports, %d at most" % _MOST_PORTS)
            self._listener = Listener(key)
            # Even if the parent has ended without closing our stdin.
            seconds = min(float(command["seconds"]), _LONGEST)
            self._deadline = asyncio.get_running_loop().call_later(seconds, os._exit, 0)
            listening = {
                str(port): await self._listener.open(command["address"], int(port))
                for port in command["ports"]
            }
            _print({"listening": listening})
        elif command["do"] == "reach":
            caller = Caller(key)

            async def test(target: Dict[str, Any]) -> None:
                ports = {asked: int(port) for asked, port in target["ports"].items()}
                _print({"peer": target["peer"], "ports": await caller.reach(target["address"], ports)})

            await asyncio.gather(*(test(target) for target in command["targets"]))
            _print({"done": "reach", "lag": round(self._lag, 3)})
        elif command["do"] == "measure":
            found = await Caller(key).measure(
                command["address"], int(command["port"]), int(command["bytes"]), float(command["seconds"])
            )
            _print({"peer": command["peer"], **found})


def _print(answer: Dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def _run() -> None:
    peer = _Peer()
    loop = asyncio.get_running_loop()
    watching = loop.create_task(peer.watch_lag())
    while not watching.done():
        # A thread reads, since waiting for pipes differs between systems.
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
