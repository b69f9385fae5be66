"""How an operation of the agent is declared: its name and the types of what is sent in each direction."""

from __future__ import annotations

from typing import Generic, Optional, Type, TypedDict, TypeVar

A = TypeVar("A")
U = TypeVar("U")
I = TypeVar("I")  # noqa: E741 -- the item, like A, U and R
R = TypeVar("R")


class Nothing(TypedDict):
    """An empty object: no arguments, or no result."""


class Operation(Generic[A, U, I, R]):
    """One operation: arguments ``A``, bodies ``U`` of upload pieces and ``I`` of items, and the result ``R``.

    ``seconds`` bounds the whole request on the console's side; ``silence`` bounds the time without any frame
    of it. Both are generous for a healthy node: they exist so that a broken one can't block a command.
    """

    def __init__(
        self,
        name: str,
        args: Type[A],
        result: Type[R],
        *,
        upload: Type[U],
        item: Type[I],
        seconds: Optional[float] = 30.0,
        silence: Optional[float] = 30.0,
    ) -> None:
        self.name = name
        self.args = args
        self.upload = upload
        self.item = item
        self.result = result
        self.seconds = seconds
        self.silence = silence

    def __repr__(self) -> str:
        return "Operation(%r)" % self.name
