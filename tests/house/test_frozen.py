"""``@frozen`` is ``@dataclass(frozen=True, slots=True)``, whatever is asked of it."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, astuple, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar

import pytest

from fleet.events import LogChunk
from fleet.frozen import frozen
from fleet.state import NodeState

Decorator = Callable[..., Any]


def by_dataclass(cls: type | None = None, /, **options: bool) -> Any:
    return (
        dataclass(frozen=True, slots=True, **options)(cls)
        if cls
        else dataclass(frozen=True, slots=True, **options)
    )


def made(decorator: Decorator) -> tuple[type[Any], type[Any], type[Any]]:
    """Return a class with all that fields may have, one that inherits and has keywords, and an empty one."""

    @decorator
    class Plain:
        kind: ClassVar[str] = "plain"
        name: str
        size: int = 3
        seen: list[int] = field(default_factory=list)
        secret: str = field(default="", repr=False)
        memo: str = field(default="", compare=False)
        put: int = 1
        missing: int = 2

        @property
        def double(self) -> int:
            return self.size * 2

    @decorator(kw_only=True)
    class Child(Plain):
        last: str
        other: float | None = None

    @decorator
    class Empty:
        pass

    return Plain, Child, Empty


OURS, THEIRS = made(frozen), made(by_dataclass)


@pytest.mark.parametrize(
    "ask",
    [
        lambda plain, child, empty: repr(plain("a", secret="x")),
        lambda plain, child, empty: repr(child("a", last="z")),
        lambda plain, child, empty: repr(empty()),
        lambda plain, child, empty: [f.name for f in fields(child)],
        lambda plain, child, empty: asdict(child("a", 1, last="z")),
        lambda plain, child, empty: astuple(plain("a")),
        lambda plain, child, empty: replace(plain("a"), size=9).double,
        lambda plain, child, empty: plain("a") == plain("a", memo="another"),
        lambda plain, child, empty: plain("a") == plain("b"),
        lambda plain, child, empty: child("a", last="z") == plain("a"),
        lambda plain, child, empty: plain("a") == "a",
        lambda plain, child, empty: empty() == empty(),
        lambda plain, child, empty: hash(plain("a", seen=())) == hash(plain("a", seen=(), memo="another")),
        lambda plain, child, empty: len({empty(), empty()}),
        lambda plain, child, empty: plain("a").seen is plain("a").seen,
        lambda plain, child, empty: copy.deepcopy(child("a", seen=[1], last="z")).seen,
        lambda plain, child, empty: hasattr(plain("a"), "__dict__"),
        lambda plain, child, empty: plain.__match_args__,
        lambda plain, child, empty: list(inspect.signature(type(child("a", last="z"))).parameters),
        lambda plain, child, empty: plain.kind,
        lambda plain, child, empty: is_dataclass(child),
    ],
)  # fmt: skip
def test_what_is_asked_is_answered_as_a_dataclass_would(ask: Callable[..., object]) -> None:
    def plain(text: object) -> object:
        return text.replace("made.<locals>.", "") if isinstance(text, str) else text

    assert plain(ask(*OURS)) == plain(ask(*THEIRS))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda plain, child, empty: plain(),
        lambda plain, child, empty: plain("a", nobody=1),
        lambda plain, child, empty: child("a", 1, [], "", "", "z"),
        lambda plain, child, empty: hash(plain("a", seen=[])),
        lambda plain, child, empty: setattr(plain("a"), "name", "b"),
        lambda plain, child, empty: delattr(plain("a"), "name"),
    ],
)
def test_what_is_refused_is_refused_as_a_dataclass_would(wrong: Callable[..., object]) -> None:
    with pytest.raises((TypeError, FrozenInstanceError)) as theirs:
        wrong(*THEIRS)
    with pytest.raises(theirs.type) as ours:
        wrong(*OURS)
    assert theirs.type is FrozenInstanceError or str(ours.value) == str(theirs.value)


def test_no_attribute_can_be_added() -> None:
    with pytest.raises(FrozenInstanceError):
        NodeState("gpu1").nobody = 1  # type: ignore[attr-defined]


def test_events_and_states_can_be_copied_and_pickled() -> None:
    event = LogChunk(node="gpu1", at=1.0, run="r", rank=0, offset=7, data=b"x")
    state = NodeState("gpu1")
    assert pickle.loads(pickle.dumps(event)) == event
    assert copy.copy(state) == state
    assert pickle.loads(pickle.dumps(state)) == state
