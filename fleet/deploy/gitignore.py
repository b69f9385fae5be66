"""Patterns of gitignore(5), matched as git matches them (tests compare with ``git check-ignore``)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct


class Rule(Struct, frozen=True):
    """One line: ``pattern`` matches whole paths relative to the folder that the line is written for."""

    pattern: re.Pattern[str]
    folders_only: bool
    include: bool

    def matches(self, path: str, *, folder: bool) -> bool:
        """Return whether the line is about exactly this path."""
        return (folder or not self.folders_only) and self.pattern.fullmatch(path) is not None


def parse_lines(lines: Iterable[str], flags: re.RegexFlag = re.NOFLAG) -> tuple[Rule, ...]:
    """Return the rules of a file's lines, the one that takes precedence first."""
    rules = (parse(line, flags) for line in lines)
    return tuple(rule for rule in rules if rule is not None)[::-1]


def parse(line: str, flags: re.RegexFlag = re.NOFLAG) -> Rule | None:
    """Return a line's rule, None for a comment, an empty line, or a pattern that can match nothing."""
    text = _strip(line)
    if not text or text.startswith("#"):
        return None
    include = text.startswith("!")
    if include:
        text = text[1:]
    folders_only = text.endswith("/") and not text.endswith("\\/")
    if folders_only:
        text = text[:-1]
    anchored = "/" in text
    text = text.removeprefix("/")
    if not text:
        return None
    translated = _translate(text)
    if translated is None:
        return None
    prefix = "" if anchored else "(?:.*/)?"
    return Rule(re.compile(prefix + translated, flags | re.DOTALL), folders_only, include)


def _strip(line: str) -> str:
    """Drop trailing blanks unless a backslash keeps them."""
    text = line.rstrip("\r\n")
    while text.endswith((" ", "\t")):
        kept = len(text[:-1]) - len(text[:-1].rstrip("\\"))
        if kept % 2:
            break
        text = text[:-1]
    return text


#: Parts of a glob that are more than a piece of a regular expression.
_SEPARATOR, _STAR, _STARS = "/", "*", "**"


def _translate(glob: str) -> str | None:
    """Return a glob as a regular expression, None when it is unfinished and so matches nothing."""
    segments: list[list[str]] = [[]]
    at = 0
    while at < len(glob):
        sign = glob[at]
        if sign == "[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return None
            text, at = bracket
            segments[-1].append(text)
            continue
        if sign == "*":
            end = at
            while end < len(glob) and glob[end] == "*":
                end += 1
            alone = end - at == 2 and not segments[-1] and glob[end : end + 1] in ("", "/")
            segments[-1].append(_STARS if alone else _STAR)
            at = end
            continue
        if sign == "\\":
            at += 1
            if at == len(glob):
                return None
        if glob[at] == "/":
            segments.append([])
        elif sign == "?":
            segments[-1].append("[^/]")
        else:
            segments[-1].append(re.escape(glob[at]))
        at += 1
    return _expression(segments)


def _expression(segments: list[list[str]]) -> str:
    """Return the regular expression of a glob's segments.

    A match never goes back over a star whose follower was found, so its time does not grow with the number of
    stars: the leftmost place leaves most for the rest, and the last star alone may have to take more.
    """
    last = len(segments) - 1
    out: list[str] = []
    floating = False  # after **: what follows may begin at any folder
    block: list[str] = []
    for number, segment in enumerate(segments):
        if segment != [_STARS]:
            block.append(_segment(segment))
            continue
        if block:
            fixed = _SEPARATOR.join(block) + _SEPARATOR
            out.append(f"(?>(?:[^/]+/)*?{fixed})" if floating else fixed)
            block = []
        floating = True
        if number == last:
            return "".join(out) + (".+" if last else ".*")
    return "".join(out) + ("(?:[^/]+/)*" if floating else "") + _SEPARATOR.join(block)


def _segment(items: list[str]) -> str:
    parts: list[list[str]] = [[]]
    for item in items:
        if item == _STAR:
            parts.append([])
        else:
            parts[-1].append(item)
    first, *rest = ("".join(part) for part in parts)
    if not rest:
        return first
    return first + "".join(f"(?>[^/]*?{part})" for part in rest[:-1] if part) + "[^/]*" + rest[-1]


_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "digit": "0-9", "lower": "a-z",
    "upper": "A-Z", "space": "\\s", "xdigit": "0-9a-fA-F",
    "punct": "!-/:-@\\[-`{-~", "cntrl": "\\x00-\\x1f\\x7f", "graph": "!-~", "print": " -~",
}  # fmt: skip


def _bracket(glob: str, start: int) -> tuple[str, int] | None:
    """Return the regular expression of the bracket at ``start`` and where it ends; None when it does not."""
    at = start + 1
    negated = at < len(glob) and glob[at] in "!^"
    at += negated
    members: list[str] = []
    first = True
    while True:
        if at >= len(glob):
            return None
        if glob[at] == "]" and not first:
            break
        first = False
        if glob.startswith("[:", at):
            end = glob.find(":]", at)
            if end > 0:
                name = glob[at + 2 : end]
                if name not in _CLASSES:
                    return None
                members.append(_CLASSES[name])
                at = end + 2
                continue
        low, at = _member(glob, at)
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(glob, at + 1)
            if not low or not high:
                return None
            if low <= high:
                members.append(f"{re.escape(low)}-{re.escape(high)}")
        elif not low:
            return None
        else:
            members.append(re.escape(low))
    body = "".join(members)
    if negated:
        return (f"(?!/)[^{body}]" if body else "[^/]"), at + 1
    return (f"(?!/)[{body}]" if body else "(?!)"), at + 1


def _member(glob: str, at: int) -> tuple[str, int]:
    if glob[at] == "\\":
        return glob[at + 1 : at + 2], at + 2
    return glob[at], at + 1
