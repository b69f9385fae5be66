"""Output of programs without the values of the run's secrets."""

from __future__ import annotations

from typing import Iterable, List

_MASK = "(not kept)"
#: Shorter values are parts of ordinary words and numbers.
_SHORTEST = 4


class OutputMask:
    """Masks values in a text that arrives in pieces; a value can be cut between two of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: List[str] = sorted(
            {value for value in secrets if len(value) >= _SHORTEST}, key=len, reverse=True
        )
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the text that is complete, masked; what may be the beginning of a value waits."""
        text = self.whole(self._held + text)
        held = max((_overlap(text, secret) for secret in self._secrets), default=0)
        self._held = text[len(text) - held :] if held else ""
        return text[: len(text) - held]

    def rest(self) -> str:
        """Return what still waits, at the end of the output."""
        held, self._held = self._held, ""
        return held

    def whole(self, text: str) -> str:
        """Return a text that is not continued, masked."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text


def _overlap(text: str, secret: str) -> int:
    """Return how many of the last characters are the first ones of ``secret``."""
    for length in range(min(len(text), len(secret) - 1), 0, -1):
        if text.endswith(secret[:length]):
            return length
    return 0
