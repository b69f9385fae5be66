"""One HTTP connection to a shell, made anew with the same ShellId when it breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from transports.errors import AuthenticationFailed, ChannelLost, TransportError
from transports.winrm.problems import sort_out

T = TypeVar("T")

#: A rejected login in the middle of a session is the new connection's, and never tried more often than this:
#: Windows locks accounts.
_LOGINS = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds: ``operation`` for a Receive that has nothing, ``answer`` for any answer to come,
    ``outage`` until a broken connection is given up, ``pause`` before the first new attempt."""

    operation: int = 20
    answer: int = 30
    outage: float = 60.0
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
        """Send a request, over new connections when one breaks; ``broken`` is told each time.

        Raises what can't be mended: a fault that is final, or ChannelLost when the outage lasts too long.
        """
        since: float | None = None
        pause = self._patience.pause
        refused = 0
        while True:
            try:
                return self.once(request)
            except InvalidCredentialsError as error:
                refused += 1
                if refused > _LOGINS:
                    raise AuthenticationFailed(
                        "the node does not accept the login any more",
                        where=self._where,
                        remedy="check whether the account's password was changed or the account is locked",
                    ) from error
                problem = TransportError("the node asked for a new login", where=self._where)
            except TransportError as error:
                if not error.transient:
                    raise
                problem = error
            broken()
            since = self._clock() if since is None else since
            if self._leave.is_set() or self._clock() - since > self._patience.outage:
                raise ChannelLost(
                    f"{problem.what}, and no new connection worked for {self._clock() - since:.0f} s",
                    where=self._where,
                    remedy=problem.remedy or "check that the node is on and its network works",
                ) from problem
            self._leave.wait(pause)
            pause = min(pause * 2, self._patience.longest_pause)

    def drop(self) -> None:
        """Close the connection; the next request makes a new one."""
        if self._protocol is not None:
            self._protocol.transport.close_session()
        self._protocol = None
