"""A fleet of local nodes of which one has an agent that answers whatever a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Self

import pytest

from agent.wire.decode import WireError, decode
from agent.wire.operation import Operation
from fleet.errors import InvalidAnswer
from fleet.fleet import Fleet
from fleet.link.client import Item

Answer = Callable[[str, Any], Iterable[Item[Any]]]


class LyingLink:
    """Stands for the link to a compromised node: ``answer`` gives the items, ``result`` the last word.

    Both are decoded by the operation's types as they arrive, as the real link does.
    """

    def __init__(self, answer: Answer, result: Any = None) -> None:
        self._answer = answer
        self._result = result
        #: Items that the console has taken.
        self.taken = 0

    def request(
        self, operation: Operation[Any, Any, Any, Any], args: Any, *, silence: float | None = None
    ) -> LyingRequest:
        return LyingRequest(self, operation, self._answer(operation.name, args), self._result)

    async def call(self, operation: Operation[Any, Any, Any, Any], args: Any) -> Any:
        if isinstance(self._result, Exception):
            raise self._result
        return decoded(operation, operation.result, self._result)


class LyingRequest:
    def __init__(
        self,
        link: LyingLink,
        operation: Operation[Any, Any, Any, Any],
        items: Iterable[Item[Any]],
        result: Any,
    ) -> None:
        self._link = link
        self._operation = operation
        self._items = items
        self._result = result

    @property
    def result(self) -> Any:
        return decoded(self._operation, self._operation.result, self._result)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def end(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[Item[Any]]:
        for item in self._items:
            self._link.taken += 1
            yield Item(decoded(self._operation, self._operation.item, item.body), item.payload)


def decoded(operation: Operation[Any, Any, Any, Any], kind: Any, value: Any) -> Any:
    try:
        return decode(kind, value)
    except WireError as error:
        raise InvalidAnswer(operation.name, str(error), node="gpu1") from None


def compromise(monkeypatch: pytest.MonkeyPatch, fleet: Fleet, name: str, link: LyingLink) -> None:
    """Make ``name`` the compromised node of the fleet."""
    real = fleet.link

    async def link_of(node: Any) -> Any:
        return link if node.name == name else await real(node)

    monkeypatch.setattr(fleet, "link", link_of)
