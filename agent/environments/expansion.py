"""References in the values of the user's variables, resolved on the node.

``$NAME`` and ``${NAME}`` are the variable NAME: another one of the user's with its own references resolved,
else the node's; empty when there is neither. A variable that refers to itself gets the node's value. ``$$``
is a dollar sign. ``~`` at the beginning of a value, or of an entry of a list of paths, is the home folder.
Everything else stays as it is, ``%NAME%`` included.
"""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Tuple

_REFERENCE = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
#: Characters of one value; references to each other can multiply.
_LONGEST = 128 * 1024


class Unresolvable(ValueError):
    """The references of the variable ``name`` lead back to it (``circular``), or its value is too long."""

    def __init__(self, name: str, *, circular: bool) -> None:
        super().__init__(name)
        self.name = name
        self.circular = circular


class Expanded(NamedTuple):
    """The values, and the references (variable, name) that nothing on the node has a value for."""

    values: Dict[str, str]
    unset: List[Tuple[str, str]]


def expanded(values: Mapping[str, str], node: Mapping[str, str], home: str, windows: bool) -> Expanded:
    """Return the user's ``values`` with all references resolved; raises Unresolvable.

    ``node`` are the node's own variables. On Windows names are the same in any case, and those of ``node``
    and of the result are in upper case.
    """
    own = {_key(name, windows): value for name, value in values.items()}
    return _Expansion(own, node, home, windows).all()


def _key(name: str, windows: bool) -> str:
    return name.upper() if windows else name


class _Expansion:
    def __init__(self, own: Mapping[str, str], node: Mapping[str, str], home: str, windows: bool) -> None:
        self._own = own
        self._node = node
        self._home = home
        self._windows = windows
        slashes = r"[/\\]" if windows else "/"
        separator = ";" if windows else ":"
        self._tilde = re.compile(r"(^|%s)~(?=%s|%s|$)" % (separator, slashes, separator))
        self._done: Dict[str, str] = {}
        self._unset: List[Tuple[str, str]] = []

    def all(self) -> Expanded:
        values = {name: self._value(name, frozenset()) for name in self._own}
        return Expanded(values, list(dict.fromkeys(self._unset)))

    def _value(self, name: str, within: FrozenSet[str]) -> str:
        if name in self._done:
            return self._done[name]
        # The home folder first: what a reference brings in is not read again.
        text = self._tilde.sub(lambda match: match[1] + self._home.replace("$", "$$"), self._own[name])
        inner = within | {name}
        value = _REFERENCE.sub(lambda match: self._reference(match, name, inner), text)
        if len(value) > _LONGEST:
            raise Unresolvable(name, circular=False)
        self._done[name] = value
        return value

    def _reference(self, match: re.Match[str], variable: str, within: FrozenSet[str]) -> str:
        if match[1]:
            return "$"
        name = _key(match[2] or match[3], self._windows)
        if name in self._own and name != variable:
            if name in within:
                raise Unresolvable(name, circular=True)
            return self._value(name, within)
        if name not in self._node and name != variable:
            self._unset.append((variable, name))
        return self._node.get(name, "")
