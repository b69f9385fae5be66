"""Cluster node sets: ``gpu[1-8]``, ``rack[1-2]-gpu[01-16,20]``, ``192.168.1.[101-108]``."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

#: A typing slip such as ``gpu[1-88888888]`` must not fill the memory.
MAX_NAMES = 4096
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


class NodeSetError(ValueError):
    """A text is not a node set, or names nodes that there are not."""


def expand(text: str) -> tuple[str, ...]:
    """Return the names of a node set in the order written; raises NodeSetError.

    Parts are separated by commas or blanks. Zeros in front are kept (``[08-10]`` is 08, 09, 10), several
    brackets make a product, a name that occurs twice is given once.
    """
    names: dict[str, None] = {}
    for part in _parts(text):
        for name in _expand_part(part):
            names[name] = None
            if len(names) > MAX_NAMES:
                raise NodeSetError(f"{text!r} names more than {MAX_NAMES} nodes")
    if not names:
        raise NodeSetError("a node set without a name")
    return tuple(names)


def fold(names: Iterable[str]) -> str:
    """Return the shortest node set of the names, sorted, each once; ``expand`` gives them back.

    Names are folded over their last number. No name at all gives the empty string.
    """
    families: dict[tuple[str, str], set[str]] = {}
    for name in names:
        match = _LAST_NUMBER.fullmatch(name)
        prefix, digits, suffix = match.groups() if match else (name, "", "")
        families.setdefault((prefix, suffix), set()).add(digits)
    parts = []
    for (prefix, suffix), numbers in sorted(
        families.items(), key=lambda item: (natural_key("".join(item[0])), item[0])
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


def select(expression: str, tags: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the chosen names in the mapping's order; ``tags`` is name -> that node's tags.

    ``gpu[1-4],@lab`` takes nodes by name and by tag, ``@all`` every one, a leading ``!`` takes out what
    was in (``@all,!gpu3``; a selection that begins with ``!`` starts from all). Raises NodeSetError that
    names everything unknown.
    """
    chosen: set[str] = set()
    unknown: list[str] = []
    known_tags = {tag for own in tags.values() for tag in own} | {"all"}
    parts = list(_parts(expression))
    if not parts:
        raise NodeSetError("nothing is selected")
    if parts[0].startswith("!"):
        chosen |= set(tags)
    for part in parts:
        wanted = part.removeprefix("!")
        names: set[str]
        if wanted.startswith("@"):
            tag = wanted[1:]
            names = {name for name, own in tags.items() if tag == "all" or tag in own}
            if tag not in known_tags:
                unknown.append(f"no node has the tag {tag!r}{_nearest(tag, known_tags, '@')}")
        else:
            names = set(expand(wanted))
            missing = sorted(names - set(tags), key=natural_key)
            unknown += [f"there is no node {name!r}{_nearest(name, tags)}" for name in missing]
        chosen = chosen - names if part.startswith("!") else chosen | names
    if unknown:
        raise NodeSetError("; ".join(unknown))
    return tuple(name for name in tags if name in chosen)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts gpu2 before gpu10."""
    pieces = re.split(r"([0-9]+)", name)
    return tuple((0, int(p), p) if p[0] in "0123456789" else (1, 0, p) for p in pieces if p)


def _parts(text: str) -> Iterator[str]:
    """Yield the parts between commas and blanks outside of brackets."""
    start = depth = 0
    for index, character in enumerate(text):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        if depth not in (0, 1):
            raise NodeSetError(f"brackets do not match in {text!r}")
        if depth == 0 and (character == "," or character.isspace()):
            if text[start:index]:
                yield text[start:index]
            start = index + 1
    if depth:
        raise NodeSetError(f"brackets do not match in {text!r}")
    if text[start:]:
        yield text[start:]


def _expand_part(part: str) -> Iterator[str]:
    pieces = re.split(r"\[([^\]]*)\]", part)
    choices = [[piece] if index % 2 == 0 else _numbers(piece, part) for index, piece in enumerate(pieces)]
    # A product is generated lazily, so that the caller's limit stops it.
    return ("".join(choice) for choice in itertools.product(*choices))


def _numbers(text: str, part: str) -> list[str]:
    numbers: list[str] = []
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece.strip())
        if match is None:
            raise NodeSetError(f"{piece.strip()!r} in {part!r} is neither a number nor a range such as 1-8")
        first, last = match[1], match[2] or match[1]
        width = len(first) if len(first) > 1 and first.startswith("0") else 0
        padded_last = len(last) > 1 and last.startswith("0")
        if int(last) < int(first):
            raise NodeSetError(f"the range {piece.strip()!r} in {part!r} runs backwards")
        if (width and len(last) < width) or (padded_last and len(last) != width):
            raise NodeSetError(f"the zeros in front of {piece.strip()!r} in {part!r} do not agree")
        if int(last) - int(first) >= MAX_NAMES:
            raise NodeSetError(f"the range {piece.strip()!r} in {part!r} has more than {MAX_NAMES} numbers")
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


def _nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""
