"""Which files stay on the master: the built-in excludes and the project's ``.dtuiignore``.

The rules are those of gitignore: the last rule that matches wins, ``!`` takes a path in again, and what
lies in an excluded folder can't be taken in. One file counts, in the project's top folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fleet.frozen import frozen

IGNORE_FILE = ".dtuiignore"
#: As the guide has it. A project may take one in again, say with ``!src/logs/``.
EXCLUDED = (".git", ".venv", "__pycache__", "logs", "checkpoints")
#: Ours, and never deployed: it holds host keys and runs.
OWN = ".dtui"


@frozen
class Rule:
    """One line: ``pattern`` matches whole relative paths."""

    pattern: re.Pattern[str]
    folders_only: bool
    take_in: bool


class IgnoreRules:
    """Decides for relative paths with ``/``. ``lines`` come after the built-in excludes."""

    def __init__(self, lines: Iterable[str] = (), *, ignore_case: bool = False) -> None:
        flags = re.IGNORECASE if ignore_case else re.NOFLAG
        rules = (parse(line, flags) for line in (*EXCLUDED, *lines))
        self._rules = tuple(rule for rule in rules if rule is not None)[::-1]

    @classmethod
    def read(cls, root: Path, *, ignore_case: bool = False) -> IgnoreRules:
        """Return the rules of the project in ``root``; raises OSError when the file can't be read."""
        try:
            text = (root / IGNORE_FILE).read_bytes().decode("utf-8-sig", "surrogateescape")
        except FileNotFoundError:
            text = ""
        return cls(text.splitlines(), ignore_case=ignore_case)

    def excludes(self, path: str, *, folder: bool) -> bool:
        """Return whether ``path`` itself is excluded; its folders must have been asked about before."""
        if path == OWN or path.endswith("/" + OWN):
            return True
        for rule in self._rules:
            if (folder or not rule.folders_only) and rule.pattern.fullmatch(path):
                return not rule.take_in
        return False

    def excludes_file(self, path: str) -> bool:
        """Return whether the file ``path`` or a folder on the way to it is excluded."""
        parts = path.split("/")
        ways = ("/".join(parts[:length]) for length in range(1, len(parts)))
        return any(self.excludes(way, folder=True) for way in ways) or self.excludes(path, folder=False)


def parse(line: str, flags: re.RegexFlag = re.NOFLAG) -> Rule | None:
    """Return a line's rule, None for a comment, an empty line, or a pattern that can match nothing."""
    text = _strip(line)
    if not text or text.startswith("#"):
        return None
    take_in = text.startswith("!")
    if take_in:
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
    return Rule(re.compile(prefix + translated, flags | re.DOTALL), folders_only, take_in)


def _strip(line: str) -> str:
    """Drop trailing blanks unless a backslash keeps them."""
    text = line.rstrip("\r\n")
    while text.endswith((" ", "\t")):
        kept = len(text[:-1]) - len(text[:-1].rstrip("\\"))
        if kept % 2:
            break
        text = text[:-1]
    return text


def _translate(glob: str) -> str | None:
    """Return a glob as a regular expression, None when it is unfinished and so matches nothing."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        sign = glob[at]
        if sign == "*":
            end = at
            while end < len(glob) and glob[end] == "*":
                end += 1
            alone = end - at == 2 and (at == 0 or glob[at - 1] == "/")
            if alone and end == len(glob):
                out.append(".+" if at else ".*")
            elif alone and glob[end] == "/":
                out.append("(?:.*/)?")
                end += 1
            else:
                out.append("[^/]*")
            at = end
            continue
        if sign == "?":
            out.append("[^/]")
        elif sign == "[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return None
            text, at = bracket
            out.append(text)
            continue
        elif sign == "\\":
            at += 1
            if at == len(glob):
                return None
            out.append(re.escape(glob[at]))
        else:
            out.append(re.escape(sign))
        at += 1
    return "".join(out)


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
