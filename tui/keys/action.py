"""Actions of the console: each is declared at the method that carries it out.

Bindings, the key bar, the help screen, the command palette, typed commands and ``docs/keys.md`` are made from
the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, TypeVar

from msgspec import Struct
from textual.binding import Binding

from agent.wire.message import Message
from tui.operations.operation import Operation

if TYPE_CHECKING:
    from textual.binding import BindingType

MODES = ("nodes", "preflight", "deploy", "monitor", "runs", "config")
_PREFIX = "action_"
_DECLARED = "declared_action"


class Action(Struct, frozen=True):
    """One action; ``keys`` are Textual key names, and the first is the one shown.

    An action without keys can only be typed as a command, with what it ``takes``.
    """

    #: Scope and name, ``nodes.filter``: that of its method is ``action_nodes_filter``.
    id: str
    keys: tuple[str, ...]
    label: Message
    help: Message
    #: Place in the key bar from the left (0: not there). On a narrow terminal high numbers below 70 go first.
    bar: int = 0
    palette: bool = True
    #: It changes nodes or files: it is not available in ``--read-only``.
    writes: bool = False
    #: It also works while a text field has the focus.
    priority: bool = False
    #: It is available only while the requirements of this operation are met.
    operation: Operation | None = None
    #: What may follow it on the command line: ``text``, or a kind of :mod:`tui.navigation.choices`.
    takes: str = ""

    @property
    def scope(self) -> str:
        """Where it works."""
        return self.id.split(".")[0]

    @property
    def method(self) -> str:
        """The part of its method's name after ``action_``."""
        return self.id.replace(".", "_")

    @property
    def name(self) -> str:
        """Its name within the scope."""
        return self.id.partition(".")[2]

    @property
    def mode(self) -> str:
        """The mode that it belongs to; empty for the app's, and for those of lists in any mode."""
        return self.scope if self.scope in MODES else "monitor" if self.scope == "log" else ""


Method = TypeVar("Method", bound=Callable[..., object])


def action(
    *keys: str,
    label: Message,
    help: Message,  # noqa: A002
    bar: int = 0,
    palette: bool = True,
    writes: bool = False,
    priority: bool = False,
    operation: Operation | None = None,
    takes: str = "",
) -> Callable[[Method], Method]:
    """Declare an action at the method ``action_SCOPE_NAME`` of the class that owns the scope."""

    def declare(method: Method) -> Method:
        scope, _, name = method.__name__.removeprefix(_PREFIX).partition("_")
        declared = Action(
            f"{scope}.{name}", keys, label, help, bar, palette, writes, priority, operation, takes
        )
        setattr(method, _DECLARED, declared)
        return method

    return declare


def declared_in(owner: type) -> Iterator[Action]:
    """Yield the actions that a class itself declares, in the order of their declaration."""
    for member in vars(owner).values():
        found = getattr(member, _DECLARED, None)
        if isinstance(found, Action):
            yield found


class ActionOwner:
    """The first base of a widget, a screen or an app that declares actions: it makes the key bindings.

    A user's keymap changes the keys of a binding by the action's id.
    """

    BINDINGS: ClassVar[list[BindingType]]

    def __init_subclass__(cls, **options: bool) -> None:
        if found := [_binding(one) for one in declared_in(cls) if one.keys]:
            cls.BINDINGS = found
        super().__init_subclass__(**options)


def _binding(one: Action) -> BindingType:
    return Binding(",".join(one.keys), one.method, one.id, id=one.id, show=False, priority=one.priority)
