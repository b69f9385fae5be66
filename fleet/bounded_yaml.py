"""Reads YAML from other sources within limits: size, nesting, expansion of aliases, digits.

libyaml's parser delivers events and the tree is built here. PyYAML's own composer is recursive, so that
deep nesting ends the process, and it is slower. Work and memory are proportional to the text and to what its
aliases stand for, and both are limited.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from msgspec import Struct
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from agent.wire.message import Message, message
from transports import regular_files

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: What YAML forbids in any text; the same set as PyYAML's, which each of its parsers checks in its own words.
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: For a text up to this length PyYAML's own parser finds the words and the place of a syntax error.
_EXPLAINED: Final = 64 * 1024
#: Longer numbers exist in no configuration, and converting one takes time in the square of its digits.
_MAX_DIGITS: Final = 400
_NUMBERS: Final = frozenset(("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"))
_TEXT: Final = "tag:yaml.org,2002:str"


class UnacceptableError(yaml.MarkedYAMLError):
    """The text is YAML that dtui does not accept: ``what`` is wrong, and the ``remedy``."""

    def __init__(self, what: Message, remedy: Message, mark: Any = None) -> None:
        super().__init__(problem=what, problem_mark=mark)
        self.what = what
        self.remedy = remedy


class LimitError(UnacceptableError):
    """The text exceeds a limit."""


class UnprintableError(yaml.YAMLError):
    """There is a control character in the text, at ``position`` (a character offset)."""

    def __init__(self, character: str, position: int) -> None:
        self.what = message(
            "yaml.control-character",
            "the control character {character!r} is not allowed in YAML",
            character=character,
        )
        self.remedy = message("yaml.control-character.remedy", "delete the character")
        super().__init__(self.what)
        self.position = position


class Limits(Struct, frozen=True):
    """``size`` in bytes, ``depth`` in levels, ``nodes`` with each alias counted as its value."""

    size: int
    depth: int
    nodes: int


#: Inventories: 20,000 nodes that are written one by one have about 200,000 YAML nodes in 2 MB.
INVENTORY: Final = Limits(size=8 << 20, depth=40, nodes=1_000_000)
#: Configurations of programs.
CONFIGURATION: Final = Limits(size=1 << 20, depth=60, nodes=100_000)


def compose(text: str, limits: Limits) -> yaml.Node | None:
    """Return the root node of the only document in ``text``, None when there is none.

    Raises yaml.MarkedYAMLError for the syntax, UnacceptableError (one of those) and UnprintableError.
    """
    if len(text) > limits.size:
        raise too_large(limits)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable is not None:
        raise UnprintableError(unprintable[0], unprintable.start())
    try:
        return _Composer(limits).compose(_BaseLoader(text))
    except UnacceptableError:
        raise
    except yaml.MarkedYAMLError:
        if len(text) <= _EXPLAINED:
            _Composer(limits).compose(yaml.SafeLoader(text))
        raise


def load(data: bytes | str, limits: Limits = CONFIGURATION) -> object:
    """Return the value of a YAML text, or of a file's bytes (UTF-8); raises yaml.YAMLError and ValueError.

    Where an alias repeats a block, the value holds the same object several times.
    """
    if len(data) > limits.size:
        raise too_large(limits)
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    root = compose(text, limits)
    try:
        return None if root is None else SafeConstructor().construct_document(root)
    except (AttributeError, TypeError, LookupError, OverflowError) as error:
        # PyYAML's constructors raise these for explicit tags on unsuitable values, such as `!!timestamp x`.
        raise UnacceptableError(
            message("yaml.tag", "a value does not fit its tag ({error})", error=str(error)),
            message("yaml.tag.remedy", "remove the tag or correct the value"),
        ) from None


def too_large(limits: Limits) -> LimitError:
    """Return the error for a text larger than ``limits.size``."""
    return LimitError(
        message("yaml.too-large", "the file is larger than {size} MiB", size=limits.size >> 20),
        message("yaml.too-large.remedy", "remove contents that do not belong in the file"),
    )


def read_start(path: Path, limits: Limits = CONFIGURATION) -> bytes:
    """Return a file's bytes, at most one more than the limit, so that :func:`load` can refuse the file."""
    return regular_files.read_start(path, limits.size + 1)


def load_file(path: Path, limits: Limits = CONFIGURATION) -> object:
    """Return the value of a YAML file; raises OSError and what :func:`load` raises."""
    return load(read_start(path, limits), limits)


class _Composer:
    """Builds one tree from the events of a parser."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tags: dict[str, str] = {}
        self._resolver: Any = Resolver()
        #: Anchor -> node and its weight: how many nodes it expands to. None while the node is being read.
        self._anchors: dict[str, tuple[yaml.Node, int | None]] = {}

    def compose(self, parser: Any) -> yaml.Node | None:
        try:
            return self._document(parser.get_event)
        except RecursionError:  # raised by PyYAML's own scanner for very many open brackets
            raise self._too_deep(None) from None
        finally:
            parser.dispose()

    def _document(self, next_event: Callable[[], Any]) -> yaml.Node | None:
        next_event()  # the stream's start
        start = next_event()
        if isinstance(start, yaml.StreamEndEvent):
            return None
        root = self._tree(next_event)
        next_event()  # the document's end
        further = next_event()
        if not isinstance(further, yaml.StreamEndEvent):
            raise UnacceptableError(
                message("yaml.several-documents", "the file has more than one YAML document"),
                message(
                    "yaml.several-documents.remedy", "keep one document in the file: remove the line ---"
                ),
                further.start_mark,
            )
        return root

    def _tree(self, next_event: Callable[[], Any]) -> yaml.Node:
        """Return the next node with all below it. ``open_`` has the collections that are not closed yet."""
        open_: list[_Open] = []
        total = 0
        limit = self._limits.nodes
        while True:
            event = next_event()
            kind = type(event)
            weight = 1
            if kind is yaml.ScalarEvent:
                node: Any = yaml.ScalarNode(
                    self._tag_of(event), event.value, event.start_mark, event.end_mark, style=event.style
                )
                if event.anchor is not None:
                    self._name(event, node, 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if len(open_) >= self._limits.depth:
                    raise self._too_deep(event.start_mark)
                made = self._collection(event)
                if event.anchor is not None:
                    self._name(event, made, None)
                open_.append(_Open(made, event.anchor, total))
                total += 1
                continue
            elif kind is yaml.AliasEvent:
                node, weight = self._aliased(event)
            else:
                ended = open_.pop()
                node = ended.node
                node.end_mark = event.end_mark
                if ended.anchor is not None:
                    self._anchors[ended.anchor] = (node, total - ended.before)
                weight = 0  # counted already
            total += weight
            if total > limit:
                raise LimitError(
                    message(
                        "yaml.too-many-values", "the file expands to more than {count:,} values", count=limit
                    ),
                    message(
                        "yaml.too-many-values.remedy", "write fewer entries, or fewer aliases of large blocks"
                    ),
                    event.start_mark,
                )
            if not open_:
                return node  # type: ignore[no-any-return]
            open_[-1].add(node)

    def _collection(self, event: Any) -> Any:
        is_mapping = type(event) is yaml.MappingStartEvent
        tag = event.tag
        if tag is None or tag == "!":
            tag = "tag:yaml.org,2002:map" if is_mapping else "tag:yaml.org,2002:seq"
        kind = yaml.MappingNode if is_mapping else yaml.SequenceNode
        return kind(tag, [], event.start_mark, None, flow_style=event.flow_style)

    def _name(self, event: Any, node: yaml.Node, weight: int | None) -> None:
        if event.anchor in self._anchors:
            raise UnacceptableError(
                message(
                    "yaml.anchor-twice",
                    "the anchor {anchor!r} is defined twice, first in line {line}",
                    anchor=event.anchor,
                    line=self._anchors[event.anchor][0].start_mark.line + 1,
                ),
                message("yaml.anchor-twice.remedy", "rename one of the two anchors"),
                event.start_mark,
            )
        self._anchors[event.anchor] = (node, weight)

    def _aliased(self, event: Any) -> tuple[yaml.Node, int]:
        if event.anchor not in self._anchors:
            raise UnacceptableError(
                message("yaml.unknown-alias", "the alias {alias!r} is not defined", alias=event.anchor),
                message("yaml.unknown-alias.remedy", "put quotes around a value that starts with *"),
                event.start_mark,
            )
        node, weight = self._anchors[event.anchor]
        if weight is None:
            raise LimitError(
                message(
                    "yaml.recursive-alias",
                    "the alias {alias!r} refers to the block that contains it",
                    alias=event.anchor,
                ),
                message("yaml.recursive-alias.remedy", "replace the alias with the contents"),
                event.start_mark,
            )
        return node, weight

    def _tag_of(self, event: Any) -> str:
        tag: str | None = event.tag
        if tag is not None and tag != "!":
            if tag in _NUMBERS:
                _check_digits(event.value, event.start_mark)
            return tag
        if not event.implicit[0]:
            return _TEXT
        value: str = event.value
        found = self._tags.get(value)
        if found is None:
            found = self._resolver.resolve(yaml.ScalarNode, value, event.implicit)
            self._tags[value] = found
            if found in _NUMBERS:
                _check_digits(event.value, event.start_mark)
        return found

    def _too_deep(self, mark: Any) -> LimitError:
        return LimitError(
            message(
                "yaml.too-deep",
                "blocks or brackets are nested more than {depth} levels deep",
                depth=self._limits.depth,
            ),
            message("yaml.too-deep.remedy", "close the brackets that were left open"),
            mark,
        )


def _check_digits(number: str, mark: yaml.Mark) -> None:
    if len(number) > _MAX_DIGITS:
        raise LimitError(
            message("yaml.long-number", "a number has more than {count} digits", count=_MAX_DIGITS),
            message("yaml.long-number.remedy", "shorten the number"),
            mark,
        )


class _Open:
    """A collection that is not complete yet; ``before`` counts the nodes in front of it."""

    __slots__ = ("anchor", "before", "items", "key", "node", "pairs")

    def __init__(self, node: Any, anchor: str | None, before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.before = before
        self.pairs = isinstance(node, yaml.MappingNode)
        self.items = node.value
        self.key: yaml.Node | None = None

    def add(self, node: yaml.Node) -> None:
        if not self.pairs:
            self.items.append(node)
        elif self.key is None:
            self.key = node
        else:
            self.items.append((self.key, node))
            self.key = None
