"""The agent's end: offers a run's secrets to its supervisor once, within the time limit of a start."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import Dict, Optional, Protocol

from agent.secrets.exchange import Stream, send_secrets
from agent.secrets.reference import NONCE, Reference, SecretsError
from agent.wire.message import message
from agent.wire.reasons import reason_of

#: Seconds that one peer may take, and all of them together.
_EXCHANGE_LIMIT = 5.0
_OFFER_LIMIT = 150.0
#: Peers that may fail before the offer is withdrawn.
_MAX_FAILURES = 16
_POLL_INTERVAL = 0.2


class Listener(Protocol):
    """Waits for local peers of this user."""

    address: str

    def accept(self, timeout: float) -> Optional[Stream]:
        """Return the next peer, None after ``timeout`` seconds; raises OSError for one that is refused."""

    def close(self) -> None:
        """Stop listening, and remove the socket or pipe."""


class Delivery:
    """Offers ``values`` from construction until :meth:`close`, or until one supervisor has them."""

    def __init__(self, folder: str, values: Dict[str, str]) -> None:
        """``folder`` is the run's; raises SecretsError if no listener can be opened there."""
        self._values = values
        self._nonce = os.urandom(NONCE)
        self._closing = threading.Event()
        try:
            self._listener = _listen(folder)
        except OSError as error:
            raise SecretsError(
                message(
                    "secrets.no-pipe",
                    "no local pipe can be opened for the secrets: {error}",
                    error=reason_of(error),
                )
            ) from None
        self.reference = Reference(sorted(values), self._listener.address, self._nonce)
        self._thread = threading.Thread(target=self._serve, name="secrets", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Withdraw the offer and close the listener; safe to call twice."""
        self._closing.set()
        self._thread.join()

    def _serve(self) -> None:
        deadline = time.monotonic() + _OFFER_LIMIT
        failures = 0
        try:
            while not self._closing.is_set() and time.monotonic() < deadline and failures < _MAX_FAILURES:
                try:
                    stream = self._listener.accept(_POLL_INTERVAL)
                    if stream is None:
                        continue
                    try:
                        send_secrets(stream, self._nonce, self._values, _EXCHANGE_LIMIT)
                    finally:
                        stream.close()
                except (OSError, SecretsError):
                    failures += 1
                else:
                    return
        finally:
            with suppress(OSError):
                self._listener.close()
            self._values = {}


def _listen(folder: str) -> Listener:
    if sys.platform == "win32":
        from agent.secrets.windows import PipeListener

        return PipeListener()
    from agent.secrets.posix import SocketListener

    return SocketListener(folder)
