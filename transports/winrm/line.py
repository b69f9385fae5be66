"""One HTTP connection to a shell, made anew with the same ShellId when it breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.errors import AuthenticationFailed, ChannelLost, TransportError
from transports.winrm.problems import UnreadableAnswer, new_login, sort_out
from transports.winrm.refusal import refusal

T = TypeVar("T")

#: A rejected login in the middle of a session is the new connection's, and never tried more often than this:
#: Windows locks accounts.
_LOGINS = 2
#: Answers to one request that cannot be read, each over a new connection, until dtui gives up.
_UNREADABLE = 5


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds: ``operation`` for a Receive that has nothing, ``answer`` for any answer to come,
    ``outage`` until a broken connection is given up, ``opening`` for a process to start behind the relay,
    ``pause`` before the first new attempt."""

    operation: int = 20
    answer: int = 30
    outage: float = 60.0
    opening: float = 45.0
    pause: float = 0.1
    longest_pause: float = 5.0


class Line:
    """Sends requests, one at a time, from one thread."""

    def __init__(
        self,
        connect: Callable[[], Protocol],
        where: str,
        patience: Patience,
        clock: Callable[[], float],
        leave: threading.Event,
    ) -> None:
        self._connect = connect
        self._where = where
        self._patience = patience
        self._clock = clock
        self._leave = leave
        self._protocol: Protocol | None = None

    def once(self, request: Callable[[Protocol], T]) -> T:
        """Send a request; raises WinRMOperationTimeoutError or what `sort_out` makes of the error."""
        try:
            if self._protocol is None:
                self._protocol = self._connect()
            return request(self._protocol)
        except WinRMOperationTimeoutError:
            raise
        except Exception as error:
            refused = isinstance(error, InvalidCredentialsError)
            self.drop()
            if refused:
                raise
            raise sort_out(error, self._where) from error

    def again(self, request: Callable[[Protocol], T], broken: Callable[[], None] = lambda: None) -> T:
        """Send a request, over new connections when one breaks; ``broken`` is called each time.

        Raises what cannot be retried: a fault that is final, or ChannelLost when the outage lasts too long.
        """
        since: float | None = None
        pause = self._patience.pause
        refused = unreadable = 0
        problem: TransportError
        while True:
            try:
                return self.once(request)
            except InvalidCredentialsError as error:
                refused += 1
                if refused > _LOGINS:
                    raise AuthenticationFailed(
                        message("winrm.login-lost", "the node no longer accepts the login"),
                        where=self._where,
                        remedy=message(
                            "winrm.login-lost.remedy",
                            "check on the node whether the account is locked or its password was changed",
                        ),
                    ) from error
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
                    raise refusal(several, self._where) from error
                problem = error
            broken()
            since = self._clock() if since is None else since
            if self._leave.is_set() or self._clock() - since > self._patience.outage:
                what = message(
                    "winrm.outage",
                    "{problem}, and no new connection worked for {seconds:.0f} s",
                    problem=problem.what,
                    seconds=self._clock() - since,
                )
                remedy = message("winrm.outage.remedy", "check that the node is on and its network works")
                raise ChannelLost(what, where=self._where, remedy=problem.remedy or remedy) from problem
            self._leave.wait(pause)
            pause = min(pause * 2, self._patience.longest_pause)

    def drop(self) -> None:
        """Close the connection; the next request makes a new one."""
        if self._protocol is not None:
            self._protocol.transport.close_session()
        self._protocol = None
