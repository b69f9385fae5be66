"""Texts for the user that can be shown in another language.

A :class:`Message` is its English text, and keeps the id, template arguments and text that it was made from. A
plain string, or a Message without an id, is foreign text (a path, an exception, a program's output): it is
shown as it is, in every language.

Templates are those of :meth:`str.format`, with these additional format specifications:

- ``{size:bytes}``, ``{rate:byte-rate}``, ``{rate:bit-rate}``, ``{seconds:duration}``: see agent.wire.units.
- ``{files:n file}`` is ``1 file`` or ``3 files``; ``{n:n entry/entries}`` where the plural is irregular.
- The arguments of a list are joined by ``", "``, or by what follows the colon: ``{causes:; }``.
"""

from __future__ import annotations

import string
from typing import Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple, TypedDict, Union

from agent.wire.text import closed, quote
from agent.wire.units import FORMATS, counted

Scalar = Union[str, int, float]
Arg = Union[Scalar, Sequence[Scalar]]
#: Levels of messages within messages that are sent and stored; a deeper one is its English text only.
_MAX_DEPTH = 4


class Message(str):
    """See the module's docstring."""

    __slots__ = ("args", "id")

    id: str
    args: Mapping[str, Arg]

    def __new__(cls, text: str = "", *, id: str = "", args: Mapping[str, Arg] = {}) -> Message:  # noqa: A002
        """Return a message; without an id it is foreign text. Other code uses :func:`message`.

        An escape sequence that the text leaves open is closed, since it is shown among other texts.
        """
        made = super().__new__(cls, closed(text))
        made.id = id
        made.args = args
        return made

    def __reduce__(self) -> Tuple[Callable[..., Message], Tuple[str, str, Dict[str, Arg]]]:
        return _restored, (str(self), self.id, dict(self.args))


class MessageData(TypedDict):
    """A Message on the wire. An argument is a scalar, a list, or a nested MessageData as ``object``."""

    id: str
    args: Dict[str, object]
    text: str


class _QuotingFormatter(string.Formatter):
    """``{name!r}`` of a text is quoted for the user, not escaped for Python."""

    def convert_field(self, value: object, conversion: Optional[str]) -> object:
        if conversion == "r" and isinstance(value, str):
            return quote(value)
        return super().convert_field(value, conversion)


_FORMATTER = _QuotingFormatter()
EMPTY = Message()
NO_MESSAGE = MessageData(id="", args={}, text="")


def message(id: str, template: str, /, **args: Arg) -> Message:  # noqa: A002 -- the field's name
    """Return the message whose English is ``template`` with ``args`` filled in; ``{path!r}`` quotes a text.

    ``id`` and ``template`` are literals, and an id has one template. A brace that belongs to the text is
    doubled in the template; those within an argument are literal.
    """
    return Message(filled(template, args), id=id, args=args)


def filled(template: str, args: Mapping[str, object]) -> str:
    """Return the template with its arguments; raises LookupError or ValueError when they do not fit."""
    return "".join(literal + value for literal, value in pieces(template, args))


def pieces(
    template: str, args: Mapping[str, object], formats: Mapping[str, Callable[[float], str]] = FORMATS
) -> Iterator[Tuple[str, str]]:
    """Yield each literal part of the template with the text of the argument behind it.

    ``formats`` has a function for each specification of units; another language has its own.
    """
    for literal, name, spec, conversion in _FORMATTER.parse(template):
        if name is None:
            yield literal, ""
        else:
            value = _FORMATTER.convert_field(args[name], conversion)
            yield literal, _formatted(value, spec or "", formats)


def _formatted(value: object, spec: str, formats: Mapping[str, Callable[[float], str]]) -> str:
    if isinstance(value, (list, tuple)):
        return (spec or ", ").join([closed(str(item)) for item in value])
    if isinstance(value, (int, float)):
        if spec in formats:
            return formats[spec](value)
        if spec.startswith("n "):
            return counted(value, spec[2:])
    return closed(format(value, spec))


def to_data(text: str, depth: int = 0) -> MessageData:
    """Return a message, or foreign text, as it is sent and stored."""
    args: Dict[str, object] = {}
    if isinstance(text, Message) and depth < _MAX_DEPTH:
        args = {name: _arg_data(value, depth) for name, value in text.args.items()}
        return MessageData(id=text.id, args=args, text=str(text))
    return MessageData(id="", args={}, text=str(text))


def _arg_data(value: object, depth: int) -> object:
    if isinstance(value, Message):
        return to_data(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return [_arg_data(item, depth) for item in value]
    return value


def from_data(data: Optional[Mapping[str, object]], depth: int = 0) -> Message:
    """Return the message of :func:`to_data`, EMPTY for None; data that does not fit becomes foreign text."""
    if data is None:
        return EMPTY
    id_, args, text = data.get("id"), data.get("args"), data.get("text")
    text = text if isinstance(text, str) else ""
    if not isinstance(id_, str) or not isinstance(args, dict) or depth >= _MAX_DEPTH:
        return Message(text)
    return Message(text, id=id_, args={str(name): _arg(value, depth) for name, value in args.items()})


def _arg(value: object, depth: int) -> Arg:
    if isinstance(value, list):
        return [_scalar(item, depth) for item in value]
    return _scalar(value, depth)


def _scalar(value: object, depth: int) -> Scalar:
    if isinstance(value, dict):
        return from_data(value, depth + 1)
    return value if isinstance(value, (str, int, float)) else str(value)


def _restored(text: str, id_: str, args: Dict[str, Arg]) -> Message:
    return Message(text, id=id_, args=args)
