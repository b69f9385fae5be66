"""A secret in memory. Nothing that prints, logs, copies or stores it can show it by accident."""

from __future__ import annotations

from typing import Final, NoReturn

from agent.wire.message import EMPTY, Message, message
from agent.wire.text import fits_process
from fleet.secrets.masking import MASK

#: The longest value that is delivered to a rank, in bytes of UTF-8. Linux limits one variable to 128 KiB.
MAX_SIZE: Final = 64 * 1024


class Secret:
    """Only :meth:`reveal` returns the text: ``repr`` and ``str`` are masked, and pickling is refused."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself. Call it where the value leaves for its destination, and nowhere else."""
        return self._text

    @property
    def fault(self) -> Message:
        """Why this cannot be the value of an environment variable; empty when it can."""
        if not self._text:
            return message("secret.empty", "is empty")
        if not fits_process(self._text):
            return message(
                "secret.character", "contains a character that is not allowed in an environment variable"
            )
        if len(self._text.encode()) > MAX_SIZE:
            return message("secret.too-long", "is longer than {size:bytes}", size=MAX_SIZE)
        return EMPTY

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")
