"""Runs the programs that prepare a project on the node; their output is streamed with secrets masked."""

from __future__ import annotations

import threading
from typing import Callable, Dict, List, Mapping, Optional

from agent import command
from agent.environments.masking import OutputMask
from agent.wire.deploy import OutputItem

#: Defaults that the user's variables may replace: unbuffered plain UTF-8 output, and uv without links.
_DEFAULTS = {
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "UV_LINK_MODE": "copy",
    "UV_PYTHON_PREFERENCE": "system",
}


class Programs:
    """Runs programs for a request of the console, in one environment."""

    def __init__(
        self,
        send: Callable[[OutputItem], None],
        cancelled: threading.Event,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        record: Optional[Callable[[str], None]] = None,
    ) -> None:
        self._send_item = send
        self._cancelled = cancelled
        self.environment: Dict[str, str] = {**_DEFAULTS, **environment}
        self._mask = OutputMask(secrets.values())
        self._record = record

    def send_text(self, text: str) -> None:
        """Send a text to the console, masked."""
        self._send(self._mask.whole(text))

    def run(
        self,
        argv: List[str],
        *,
        cwd: str,
        timeout: Optional[float] = None,
        silent: bool = False,
        extra: Optional[Mapping[str, str]] = None,
    ) -> command.Result:
        """Run a program to its end; its last lines are masked. ``silent``: its output is not sent.

        Raises OSError, TimeoutError and Cancelled.
        """
        result = command.run(
            argv,
            cwd=cwd,
            env={**self.environment, **(extra or {})},
            cancelled=self._cancelled,
            output=(lambda text: None) if silent else (lambda text: self._send(self._mask.feed(text))),
            quiet=lambda seconds: self._send_item({"text": None, "quiet": seconds}),
            timeout=timeout,
        )
        if not silent:
            self._send(self._mask.rest())
        # Together, since a value may have several lines.
        return result._replace(tail=self._mask.whole("\n".join(result.tail)).split("\n"))

    def _send(self, text: str) -> None:
        if text:
            if self._record is not None:
                self._record(text)
            self._send_item({"text": text, "quiet": None})
