"""An HTTP connection to a shell that is opened again, with the same ShellId, when it breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.errors import ChannelLost, ServiceRefused, TransportError
from transports.winrm.faults import Request
from transports.winrm.problems import UnreadableAnswer, classify_error, login_lost, new_login
from transports.winrm.violation import protocol_violation

T = TypeVar("T")

#: Logins that a new connection of a session may try, because Windows locks accounts after a few failures.
_LOGINS = 2
#: Unreadable answers to one request, each over a new connection, before dtui gives up.
_UNREADABLE = 5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds."""

    #: For a Receive without output.
    operation: int = 20
    #: For any answer.
    answer: int = 30
    #: Until dtui gives a broken connection up.
    outage: float = 60.0
    #: For a process to start behind the relay.
    opening: float = 45.0
    #: Before the first retry; it doubles up to ``longest_pause``.
    pause: float = 0.1
    longest_pause: float = 5.0


class ReconnectingConnection:
    """Sends requests from one thread, one at a time; no request is repeated once ``closing`` is set."""

    def __init__(
        self,
        connect: Callable[[], Protocol],
        where: str,
        timeouts: Timeouts,
        clock: Callable[[], float],
        closing: threading.Event,
    ) -> None:
        self._connect = connect
        self._where = where
        self._timeouts = timeouts
        self._clock = clock
        self._closing = closing
        self._protocol: Protocol | None = None

    def send(self, request: Callable[[Protocol], T], at: Request) -> T:
        """Send a request once; raises WinRMOperationTimeoutError, or the result of `classify_error`."""
        try:
            if self._protocol is None:
                self._protocol = self._connect()
            return request(self._protocol)
        except WinRMOperationTimeoutError:
            raise
        except Exception as error:
            refused = isinstance(error, InvalidCredentialsError)
            self.close()
            if refused:
                raise
            raise classify_error(error, self._where, at) from error

    def send_with_retries(
        self, request: Callable[[Protocol], T], at: Request, broken: Callable[[], None] = lambda: None
    ) -> T:
        """Send a request, again over a new connection whenever one breaks; ``broken`` is called each time.

        Raises a fault that is final, or ChannelLost if the outage lasts too long.
        """
        since: float | None = None
        pause = self._timeouts.pause
        refused = unreadable = 0
        problem: TransportError
        while True:
            try:
                return self.send(request, at)
            except InvalidCredentialsError as error:
                refused += 1
                if refused > _LOGINS:
                    raise login_lost(self._where) from error
                problem = new_login(self._where)
            except TransportError as error:
                if not error.transient:
                    raise
                unreadable += isinstance(error, UnreadableAnswer)
                if unreadable > _UNREADABLE:
                    several = message(
                        "winrm.unreadable-repeated",
                        "{count} answers in a row could not be read: {error}",
                        count=unreadable,
                        error=error.what,
                    )
                    raise protocol_violation(several, self._where) from error
                problem = error
            broken()
            since = self._clock() if since is None else since
            if self._closing.is_set() or self._clock() - since > self._timeouts.outage:
                seconds = self._clock() - since
                if isinstance(problem, ServiceRefused):
                    what = message(
                        "winrm.fault-lasts",
                        "{problem}, and further attempts failed for {seconds:.0f} s",
                        problem=problem.what,
                        seconds=seconds,
                    )
                else:
                    what = message(
                        "winrm.outage",
                        "{problem}, and no new connection worked for {seconds:.0f} s",
                        problem=problem.what,
                        seconds=seconds,
                    )
                remedy = message("winrm.outage.remedy", "check that the node is on and its network works")
                raise ChannelLost(what, where=self._where, remedy=problem.remedy or remedy) from problem
            self._closing.wait(pause)
            pause = min(pause * 2, self._timeouts.longest_pause)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._protocol is not None:
            self._protocol.transport.close_session()
        self._protocol = None
