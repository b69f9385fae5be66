"""A program without the relay: the plain streams of WinRM, which end when a connection breaks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from transports.base import READ_SIZE, STDERR_KEPT, Channel
from transports.errors import PROCESS_ENDED, ChannelLost, TransportError
from transports.winrm.loop_condition import LoopCondition
from transports.winrm.problems import as_transport_error
from transports.winrm.shell import Shell

#: Bytes of unread output after which no Receive is sent, so that the program has to wait.
_BUFFER = 4 << 20
#: Seconds for the shell to be deleted.
_CLOSING = 15.0


class DirectChannel(Channel):
    """For programs that are not Python.

    No request is repeated, so no data is duplicated. A broken connection may have lost data, so it ends the
    channel with ChannelLost.
    """

    def __init__(self, shell: Shell, condition: LoopCondition) -> None:
        self._shell = shell
        self._condition = condition
        self._output = bytearray()
        self._errors = bytearray()
        self._status: int | None = None
        self._failure: TransportError | None = None
        self._eof = False
        self._changed = threading.Condition()
        # One thread: a pywinrm session must not be used by two, and input must stay in order.
        self._sender = ThreadPoolExecutor(1, "winrm-send")
        threading.Thread(target=self._receive, name="winrm-receive", daemon=True).start()

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end; raises ChannelLost."""

        def step() -> bytes | None:
            with self._changed:
                if self._output:
                    data = bytes(self._output[:limit])
                    del self._output[:limit]
                    self._changed.notify_all()
                    return data
                if self._status is not None or self._eof:
                    return b""
                self._raise_failure()
                return None

        return await self._condition.wait_for(step)

    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin; raises ChannelLost."""
        await self._send(data, end=False)

    async def write_eof(self) -> None:
        """Close the program's stdin."""
        await self._send(b"", end=True)

    async def wait(self) -> int | None:
        """Return the exit status once the program has ended; raises ChannelLost."""

        def step() -> int | None:
            with self._changed:
                if self._status is None:
                    self._raise_failure()
                return self._status

        return await self._condition.wait_for(step)

    def stderr(self) -> bytes:
        """Return the last bytes that the program wrote to stderr."""
        with self._changed:
            return bytes(self._errors)

    async def close(self) -> None:
        """Delete the shell, which ends the program."""
        with self._changed:
            if self._eof:
                return
            self._eof = True
            self._changed.notify_all()
        closing = asyncio.get_running_loop().run_in_executor(self._sender, self._shell.close)
        # Do not wait longer for a node that does not answer; the threads end with their requests.
        self._shell.stop()
        await asyncio.wait([closing], timeout=_CLOSING)
        self._sender.shutdown(wait=False)

    async def _send(self, data: bytes, end: bool) -> None:
        with self._changed:
            self._raise_failure()
            if self._status is not None or self._eof:
                raise ChannelLost(PROCESS_ENDED, where=self._shell.where)

        def work() -> None:
            self._shell.send(data, end=end, retry=False)

        try:
            await asyncio.get_running_loop().run_in_executor(self._sender, work)
        except Exception as error:
            raise self._fail(error) from error

    def _receive(self) -> None:
        while True:
            try:
                out, err, status = self._shell.receive()
            except Exception as error:  # noqa: BLE001 - a thread's fault must reach the channel
                self._fail(error)
                return
            with self._changed:
                self._output += out
                self._errors += err
                del self._errors[:-STDERR_KEPT]
                self._status = status
                self._condition.notify()
                if status is not None:
                    return
                self._changed.wait_for(lambda: len(self._output) < _BUFFER or self._eof)

    def _fail(self, error: Exception) -> TransportError:
        known = as_transport_error(error, self._shell.where)
        lost = ChannelLost(known.what, where=known.where, remedy=known.remedy)
        with self._changed:
            self._failure = self._failure or lost
        self._condition.notify()
        return lost

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ChannelLost(
                self._failure.what, where=self._failure.where, remedy=self._failure.remedy
            ) from self._failure
