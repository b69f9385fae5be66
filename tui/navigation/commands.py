"""The language of the command line: the action registry, typed.

``preflight start``, ``nodes.filter gpu``, ``stop``, ``theme dtui-day``, ``node gpu1``. A name alone is looked
up among what works everywhere, then in the mode that is shown, then in all: there it must be the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

from msgspec import Struct

from tui.keys.action import MODES, Action
from tui.keys.registry import all_actions

#: What each kind of argument may be; None for one that may be anything.
Choices = Callable[[str], Sequence[str] | None]

#: Their actions depend on what has the focus: they have keys only.
_KEYS_ONLY = ("list", "matrix", "detail", "chart")


@lru_cache
def typed_actions() -> tuple[Action, ...]:
    """Return the actions that can be typed."""
    return tuple(one for one in all_actions() if one.scope not in _KEYS_ONLY)


class Command(Struct, frozen=True):
    """An action and what was typed after it."""

    action: Action
    argument: str = ""


def written(action: Action) -> str:
    """Return how a command is written in full: ``stop``, ``preflight start``."""
    return action.name if action.scope == "app" else f"{action.scope} {action.name}"


def parse(text: str, mode: str) -> Command | None:
    """Return the command of a typed line in ``mode``; None when no command starts with it."""
    first, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    scope, dot, name = first.casefold().partition(".")
    if dot:
        return _command(_find(scope, name), rest)
    second, _, after = rest.partition(" ")
    if found := _find(scope, second.casefold()):
        return _command(found, after.strip())
    return _command(_find("app", scope) if scope in MODES else _by_name(scope, mode), rest)


def _command(action: Action | None, argument: str) -> Command | None:
    if action is None or (argument and not action.takes):
        return None
    return Command(action, argument)


def _find(scope: str, name: str) -> Action | None:
    return next((one for one in typed_actions() if (one.scope, one.name) == (scope, name)), None)


def _by_name(name: str, mode: str) -> Action | None:
    named = [one for one in typed_actions() if one.name == name]
    # What works everywhere means the same everywhere: `up` starts a run, also where a log can be scrolled.
    for scope in ("app", mode):
        for one in named:
            if one.scope == scope:
                return one
    here = [one for one in named if one.mode == mode] or named
    return here[0] if len(here) == 1 else None


def complete(text: str, mode: str, choices: Choices) -> list[str]:
    """Return the lines that ``text`` may become, the likeliest first; none of them equals it."""
    typed = text.lstrip()
    low = typed.casefold()
    lines = list(_names(mode))
    command = parse(typed, mode)
    if command is not None and command.action.takes and " " in typed:
        lead = typed[: len(typed) - len(command.argument)] if command.argument else f"{typed.rstrip()} "
        lines += [f"{lead}{choice}" for choice in choices(command.action.takes) or ()]
    return list(dict.fromkeys(line for line in lines if line.casefold().startswith(low) and line != typed))


def _names(mode: str) -> Iterator[str]:
    """Yield the names of commands: the app's, the mode's without their scope, and all in full."""
    yield from (written(one) for one in typed_actions() if one.scope == "app")
    yield from (one.name for one in typed_actions() if one.mode == mode)
    yield from (written(one) for one in typed_actions() if one.scope != "app")


def nearest(text: str, mode: str) -> str:
    """Return the command that most resembles ``text``; empty when none does."""
    typed = " ".join(text.casefold().replace(".", " ").split())
    head = " ".join(typed.split()[:2])
    names = list(dict.fromkeys(_names(mode)))
    for candidate in (typed, head, typed.split(" ")[0]):
        found = get_close_matches(candidate, names, n=1, cutoff=0.6) if candidate else []
        if found:
            return found[0]
    return next((name for name in names if head and name.startswith(head.split(" ")[0])), "")
