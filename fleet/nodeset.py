"""Cluster node sets: ``gpu[1-8]``, ``rack[1-2]-gpu[01-16,20]``, ``192.168.1.[101-108]``."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from agent.wire.message import Message, message

#: A typing slip such as ``gpu[1-88888888]`` must not fill the memory.
MAX_NAMES = 65536
#: Longer numbers are in no node's name, and converting one takes time in the square of its digits.
_MAX_DIGITS = 12
#: Characters of a quoted text in a message.
_SHOWN = 80
#: Number of unknown words that get suggestions: each is compared with all names.
_MAX_HINTS = 3
_SPECIAL = re.compile(r"[\[\],\s]")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_NUMBERS = re.compile(r"([0-9]+)")


class NodeSetError(ValueError):
    """A text is not a node set, or names nodes that do not exist; ``message`` has the reason."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def expand(text: str) -> tuple[str, ...]:
    """Return the names of a node set in the order written; raises NodeSetError.

    Parts are separated by commas or blanks. Zeros in front are kept (``[08-10]`` is 08, 09, 10), several
    brackets make a product, a name that occurs twice is given once.
    """
    if text and _SPECIAL.search(text) is None:
        return (text,)
    names: dict[str, None] = {}
    # Repeated names count as well: they cost time.
    for count, name in enumerate(name for part in _parts(text) for name in _expand_part(part)):
        if count >= MAX_NAMES:
            raise _too_many(text)
        names[name] = None
    if not names:
        raise NodeSetError(message("nodeset.empty", "the node set has no names"))
    return tuple(names)


def fold(names: Iterable[str]) -> str:
    """Return the shortest node set of the names, sorted, each once; ``expand`` gives them back.

    Names are folded over their last number. No name at all gives the empty string.
    """
    #: (before the number, after it, whether there is one): ``gpu`` is not of one family with ``gpu1``.
    families: dict[tuple[str, str, bool], set[str]] = {}
    for name in names:
        split = split_at_number(name)
        prefix, digits, suffix = split or (name, "", "")
        families.setdefault((prefix, suffix, split is not None), set()).add(digits)
    parts = []
    for (prefix, suffix, _), numbers in sorted(
        families.items(), key=lambda item: (natural_key("".join(item[0][:2])), item[0])
    ):
        if len(numbers) == 1:
            parts.append(f"{prefix}{numbers.pop()}{suffix}")
        else:
            parts.append(f"{prefix}[{_fold_numbers(numbers)}]{suffix}")
    return ",".join(parts)


def fold_in_order(names: Sequence[str]) -> str:
    """Return a node set that expands to the names in this order: folded if that keeps it, else a list."""
    folded = fold(names)
    return folded if expand(folded) == tuple(names) else ",".join(names)


def split_at_number(name: str) -> tuple[str, str, str] | None:
    """Return the last number of a name between what precedes and follows it, None when it has none.

    A number that :func:`expand` does not accept in brackets does not count.
    """
    # A pattern that looks for the last number takes time in the square of the name's length.
    *before, digits, suffix = ["", "", *_NUMBERS.split(name)]
    return ("".join(before), digits, suffix) if digits and len(digits) <= _MAX_DIGITS else None


def select(expression: str, tags: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the chosen names in the mapping's order; ``tags`` is name -> that node's tags.

    ``gpu[1-4],@lab`` adds nodes by name and by tag, ``@all`` adds every node, a leading ``!`` removes nodes
    (``@all,!gpu3``; a selection that starts with ``!`` starts from all nodes). Raises NodeSetError that names
    everything unknown.
    """
    chosen: set[str] = set()
    #: Unknown word -> what is wrong with it.
    unknown: dict[str, Message] = {}
    known_tags = {tag for own in tags.values() for tag in own} | {"all"}
    parts = list(_parts(expression))
    if not parts:
        raise NodeSetError(message("nodeset.nothing-selected", "the selection names no nodes"))
    if parts[0].startswith("!"):
        chosen |= set(tags)
    named = 0
    for part in parts:
        wanted = part.removeprefix("!")
        names: set[str]
        if wanted.startswith("@"):
            tag = wanted[1:]
            names = {name for name, own in tags.items() if tag == "all" or tag in own}
            if tag not in known_tags and wanted not in unknown:
                no_tag = message("nodeset.unknown-tag", "no node has the tag {tag!r}", tag=_clipped(tag))
                near = _nearest(tag, known_tags) if len(unknown) < _MAX_HINTS else None
                unknown[wanted] = _with_hint(no_tag, f"@{near}" if near else None)
        else:
            names = set(expand(wanted))
            named += len(names)
            if named > MAX_NAMES:
                raise _too_many(expression)
            missing = sorted(names - set(tags), key=natural_key)
            for name in missing[:_MAX_HINTS]:
                if name not in unknown:
                    no_node = message(
                        "nodeset.unknown-node", "there is no node {name!r}", name=_clipped(name)
                    )
                    near = _nearest(name, tags) if len(unknown) < _MAX_HINTS else None
                    unknown[name] = _with_hint(no_node, near)
            if len(missing) > _MAX_HINTS:
                rest = _clipped(fold(missing[_MAX_HINTS:]))
                unknown[wanted] = message("nodeset.unknown-nodes", "there are no nodes {names!r}", names=rest)
        chosen = chosen - names if part.startswith("!") else chosen | names
    if unknown:
        problems = list(unknown.values())
        raise NodeSetError(
            problems[0]
            if len(problems) == 1
            else message("nodeset.unknown", "{problems:; }", problems=problems)
        )
    return tuple(name for name in tags if name in chosen)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts gpu2 before gpu10."""
    pieces = re.split(r"([0-9]+)", name)
    return tuple(_natural(piece) for piece in pieces if piece)


def _natural(piece: str) -> tuple[int, int, str]:
    if piece[0] not in "0123456789":
        return (1, 0, piece)
    # Sorting by length and then as text orders numbers by value without converting them.
    digits = piece.lstrip("0") or "0"
    return (0, len(digits), f"{digits} {piece}")


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _with_hint(problem: Message, near: str | None) -> Message:
    if near is None:
        return problem
    return message("nodeset.hint", "{problem} (did you mean {near}?)", problem=problem, near=near)


def _too_many(text: str) -> NodeSetError:
    return NodeSetError(
        message(
            "nodeset.too-many", "{text!r} names more than {count} nodes", text=_clipped(text), count=MAX_NAMES
        )
    )


def _brackets(text: str) -> NodeSetError:
    return NodeSetError(message("nodeset.brackets", "brackets do not match in {text!r}", text=_clipped(text)))


def _parts(text: str) -> Iterator[str]:
    """Yield the parts between commas and blanks outside of brackets."""
    start = depth = 0
    for index, character in enumerate(text):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        if depth not in (0, 1):
            raise _brackets(text)
        if depth == 0 and (character == "," or character.isspace()):
            if text[start:index]:
                yield text[start:index]
            start = index + 1
    if depth:
        raise _brackets(text)
    if text[start:]:
        yield text[start:]


def _expand_part(part: str) -> Iterator[str]:
    pieces = re.split(r"\[([^\]]*)\]", part)
    choices: list[list[str]] = []
    size = 1
    for index, piece in enumerate(pieces):
        choices.append([piece] if index % 2 == 0 else _numbers(piece, part))
        size *= len(choices[-1])
        if size > MAX_NAMES:
            raise _too_many(part)
    return ("".join(choice) for choice in itertools.product(*choices))


def _numbers(text: str, part: str) -> list[str]:
    numbers: list[str] = []
    shown = _clipped(part)
    for piece in map(str.strip, text.split(",")):
        match = _RANGE.fullmatch(piece)
        if match is None:
            raise NodeSetError(
                message(
                    "nodeset.not-a-range",
                    "{piece!r} in {part!r} is neither a number nor a range such as 1-8",
                    piece=_clipped(piece),
                    part=shown,
                )
            )
        first, last = match[1], match[2] or match[1]
        if max(len(first), len(last)) > _MAX_DIGITS:
            raise NodeSetError(
                message(
                    "nodeset.long-number",
                    "a number in {part!r} has more than {count} digits",
                    part=shown,
                    count=_MAX_DIGITS,
                )
            )
        width = len(first) if len(first) > 1 and first.startswith("0") else 0
        padded_last = len(last) > 1 and last.startswith("0")
        if int(last) < int(first):
            raise NodeSetError(
                message(
                    "nodeset.descending",
                    "the range {range!r} in {part!r} must be ascending",
                    range=piece,
                    part=shown,
                )
            )
        if (width and len(last) < width) or (padded_last and len(last) != width):
            raise NodeSetError(
                message(
                    "nodeset.zeros",
                    "the leading zeros of {range!r} in {part!r} do not match",
                    range=piece,
                    part=shown,
                )
            )
        if int(last) - int(first) >= MAX_NAMES:
            raise NodeSetError(
                message(
                    "nodeset.long-range",
                    "the range {range!r} in {part!r} has more than {count} numbers",
                    range=piece,
                    part=shown,
                    count=MAX_NAMES,
                )
            )
        if len(numbers) > MAX_NAMES:
            raise _too_many(part)
        numbers += [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return numbers


def _fold_numbers(numbers: set[str]) -> str:
    """Fold digit texts to ``1-8,10``; only texts of one padding share a range."""
    padded_widths = {len(text) for text in numbers if len(text) > 1 and text.startswith("0")}
    by_width: dict[int, list[int]] = {}
    for text in numbers:
        by_width.setdefault(len(text) if len(text) in padded_widths else 0, []).append(int(text))
    pieces = []
    for width, values in sorted(by_width.items()):
        for first, last in _runs(sorted(values)):
            piece = str(first).zfill(width)
            pieces.append(piece if first == last else f"{piece}-{str(last).zfill(width)}")
    return ",".join(pieces)


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[index - 1] + 1:
            yield values[start], values[index - 1]
            start = index


def _nearest(word: str, known: Iterable[str]) -> str | None:
    if len(word) > _SHOWN:
        return None
    close = difflib.get_close_matches(word, list(islice(known, 1000)), n=1)
    return close[0] if close else None
