"""Checks JSON against a declared type, and returns it as a value of that type.

Supported types: ``str int float bool None object``, ``Optional`` and ``Union``, ``Literal``, ``List[T]``,
``Dict[str, T]``, ``Tuple[T, U]`` (a list of fixed length), ``Tuple[T, ...]``, TypedDicts and NamedTuples.
``object`` accepts any JSON value.

Two modes. *Strict*, for frames: both ends have the same version, so a missing, wrong or unknown key is an
error. *Tolerant*, for files that another version may have written: unknown keys are dropped, and a missing
key becomes None, an empty list or an empty dict where its type allows that.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Literal, Tuple, Type, TypeVar, Union, cast, get_args, get_origin
from typing import get_type_hints as _hints

T = TypeVar("T")

#: Integers beyond 64 bits are neither sizes, times nor counters.
MAX_INT = 1 << 63
#: Levels of lists and objects that an undeclared (``object``) value may have.
MAX_DEPTH = 32

_Check = Callable[[Any, str], Any]
_compiled: Dict[Tuple[object, bool], _Check] = {}


class WireError(ValueError):
    """A value does not have its declared type; the text names the place and what was found there."""


def decode(kind: Type[T], value: object, *, tolerant: bool = False) -> T:
    """Return ``value`` as a ``kind``; raises WireError. Lone surrogates in strings become U+FFFD."""
    return cast(T, checker(kind, tolerant)(value, ""))


def checker(kind: object, tolerant: bool = False) -> _Check:
    """Return the function that checks a value of type ``kind`` at a path; compiled once for each type."""
    known = _compiled.get((kind, tolerant))
    if known is None:
        # Two threads may both get here: they compile the same.
        known = _compiled[kind, tolerant] = _compile(kind, tolerant)
    return known


def _compile(kind: Any, tolerant: bool) -> _Check:
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _literal(args)
    if origin is Union:
        rest = [arg for arg in args if arg is not type(None)]
        # Of several types, a tolerant one may accept the value of another: exact ones come first.
        exact = [checker(arg) for arg in rest] if tolerant and len(rest) > 1 else []
        return _union(exact + [checker(arg, tolerant) for arg in rest], optional=len(rest) < len(args))
    if origin is list:
        return _list(checker(args[0], tolerant))
    if origin is dict:
        return _dict(checker(args[1], tolerant))
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            items = _list(checker(args[0], tolerant))
            return lambda value, path: tuple(items(value, path))
        return _tuple([checker(arg, tolerant) for arg in args])
    if isinstance(kind, type) and issubclass(kind, dict):
        required = frozenset(getattr(kind, "__required_keys__", ()))
        fields = _Fields(_hints(kind), required, tolerant)
        return fields
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        defaults = getattr(kind, "_field_defaults", {})
        hints = _hints(kind)
        fields = _Fields(hints, frozenset(hints) - frozenset(defaults), tolerant)
        return lambda value, path: kind(**fields(value, path))
    raise TypeError("%r can't be decoded" % (kind,))


def _bad(path: str, expected: str, value: object) -> WireError:
    return WireError("%s: expected %s, got %s" % (path or "the value", expected, described(value)))


def described(value: object) -> str:
    """Return what kind of JSON value this is, with a short beginning of it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, dict)):
        return "%s of %d" % ("a list" if isinstance(value, list) else "an object", len(value))
    if isinstance(value, int):
        return "a whole number of %d bits" % value.bit_length() if abs(value) >= MAX_INT else str(value)
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any, path: str) -> str:
    if type(value) is not str:
        raise _bad(path, "a string", value)
    return value if value.isascii() else clean_text(value)


def clean_text(text: str) -> str:
    """Return the text with each lone surrogate as U+FFFD, so that it can be encoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _whole(value: Any, path: str) -> int:
    if type(value) is not int or not -MAX_INT <= value < MAX_INT:
        raise _bad(path, "a whole number", value)
    return value


def _number(value: Any, path: str) -> Union[int, float]:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and -MAX_INT <= value < MAX_INT:
        return value
    raise _bad(path, "a finite number", value)


def _flag(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise _bad(path, "true or false", value)
    return value


def _nothing(value: Any, path: str) -> None:
    if value is not None:
        raise _bad(path, "null", value)


def _anything(value: Any, path: str, depth: int = 0) -> object:
    if depth > MAX_DEPTH:
        raise WireError("%s: nested more than %d levels deep" % (path or "the value", MAX_DEPTH))
    if isinstance(value, dict):
        return {_text(key, path): _anything(item, path, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_anything(item, path, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    return _text(value, path) if isinstance(value, str) else _number(value, path)


_SCALARS: Dict[Any, _Check] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    None: _nothing,
    type(None): _nothing,
    object: _anything,
}


def _literal(values: Tuple[Any, ...]) -> _Check:
    known = {(type(value), value) for value in values}
    expected = "one of " + ", ".join(repr(value) for value in values)

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, (str, int, bool, type(None))) or (type(value), value) not in known:
            raise _bad(path, expected, value)
        return value

    return check


def _union(checks: List[_Check], *, optional: bool) -> _Check:
    def check(value: Any, path: str) -> Any:
        if value is None and optional:
            return None
        for one in checks[:-1]:
            try:
                return one(value, path)
            except WireError:
                continue
        return checks[-1](value, path)

    check.optional = optional  # type: ignore[attr-defined]
    return check


def _list(item: _Check) -> _Check:
    def check(value: Any, path: str) -> List[Any]:
        if type(value) is not list:
            raise _bad(path, "a list", value)
        return [item(one, "%s[%d]" % (path, at)) for at, one in enumerate(value)]

    check.empty = list  # type: ignore[attr-defined]
    return check


def _dict(item: _Check) -> _Check:
    def check(value: Any, path: str) -> Dict[str, Any]:
        if type(value) is not dict:
            raise _bad(path, "an object", value)
        return {_text(key, path): item(one, "%s[%s]" % (path, ascii(key)[:60])) for key, one in value.items()}

    check.empty = dict  # type: ignore[attr-defined]
    return check


def _tuple(items: List[_Check]) -> _Check:
    def check(value: Any, path: str) -> Tuple[Any, ...]:
        if type(value) is not list or len(value) != len(items):
            raise _bad(path, "a list of %d" % len(items), value)
        return tuple(item(one, "%s[%d]" % (path, at)) for at, (item, one) in enumerate(zip(items, value)))

    return check


class _Fields:
    """Checks an object with declared keys."""

    def __init__(self, hints: Dict[str, Any], required: frozenset[str], tolerant: bool) -> None:
        self._checks = {name: checker(kind, tolerant) for name, kind in hints.items()}
        self._required = required
        self._tolerant = tolerant

    def __call__(self, value: Any, path: str) -> Dict[str, Any]:
        if type(value) is not dict:
            raise _bad(path, "an object", value)
        prefix = path + "." if path else ""
        found: Dict[str, Any] = {}
        for name, check in self._checks.items():
            if name in value:
                found[name] = check(value[name], prefix + name)
            elif name in self._required:
                found[name] = self._missing(name, check, prefix)
        if len(found) != len(value) and not self._tolerant:
            extra = next(ascii(key)[:60] for key in value if key not in self._checks)
            raise WireError("%s: unknown key %s" % (path or "the value", extra))
        return found

    def _missing(self, name: str, check: _Check, prefix: str) -> Any:
        if self._tolerant:
            if getattr(check, "optional", False):
                return None
            empty = getattr(check, "empty", None)
            if empty is not None:
                return empty()
        raise WireError("%s%s is missing" % (prefix, name))
