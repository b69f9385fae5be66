"""The hosts of an OpenSSH client configuration, with the options of its blocks."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from transports import regular_files
from transports.ssh.config_syntax import included_files, without_comment, words_of

_DEEPEST = 8
#: Limits: bytes of a file, characters of a line, lines and hosts in all.
_MAX_SIZE = 4 << 20
_MAX_LINE = 4096
_MAX_LINES = 50_000
_MAX_HOSTS = 10_000
#: Blocks with patterns: each is compared with every host.
_MAX_PATTERNS = 64
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)")


def read_hosts(path: Path) -> dict[str, dict[str, str]]:
    """Return the options of every host that has its own ``Host`` line, keys in lower case.

    As for OpenSSH, the first value that matches is used, from any block. ``Match`` blocks depend on more
    than a name and are skipped. An absent or unreadable file has no hosts.
    """
    lines = _lines(path)
    aliases = [
        alias
        for key, value in lines
        if key == "host"
        for alias in words_of(value)
        if not set(alias) & set("*?!")
    ]
    blocks = _blocks(lines)
    return {alias: _options(alias, blocks) for alias in islice(dict.fromkeys(aliases), _MAX_HOSTS)}


def read_start(path: Path) -> str:
    """Return the text of a file, of a huge one only its beginning; raises OSError."""
    return regular_files.read_start(path, _MAX_SIZE).decode("utf-8-sig", "replace")


def _lines(path: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    _collect(path, path.parent, 0, found)
    return found


def _collect(path: Path, folder: Path, depth: int, found: list[tuple[str, str]]) -> None:
    """Append the file's lines and those of what it includes, which may be itself, up to _MAX_LINES."""
    try:
        text = read_start(path)
    except (OSError, ValueError):  # a name may hold what no path can
        return
    for line in text.splitlines():
        if len(found) >= _MAX_LINES:
            return
        matched = _LINE.match(line[:_MAX_LINE])
        if matched is None or line.lstrip().startswith("#"):
            continue
        key, value = matched[1].lower(), without_comment(matched[2]).rstrip()
        # An include counts as well: one without lines costs time, too.
        found.append((key, value))
        if key == "include" and depth < _DEEPEST:
            for included in included_files(value, folder):
                _collect(included, folder, depth + 1, found)


class _Blocks(NamedTuple):
    """The blocks in their order; ``named`` finds those of one plain name, ``patterns`` are all others."""

    options: list[dict[str, str]]
    named: dict[str, list[int]]
    patterns: list[tuple[int, list[str]]]


def _blocks(lines: list[tuple[str, str]]) -> _Blocks:
    blocks = _Blocks([{}], {}, [(0, ["*"])])
    applies = True
    for key, value in lines:
        if key in ("host", "match"):
            applies = key == "host"
            if not applies:
                continue
            words, number = words_of(value), len(blocks.options)
            blocks.options.append({})
            if any(set(word) & set("*?![") for word in words):
                blocks.patterns.append((number, words))
            else:
                for word in words:
                    blocks.named.setdefault(word, []).append(number)
        elif applies and key != "include":
            blocks.options[-1].setdefault(key, value.strip('"'))
    return blocks


def _options(alias: str, blocks: _Blocks) -> dict[str, str]:
    matching = [number for number, patterns in blocks.patterns[:_MAX_PATTERNS] if _matches(alias, patterns)]
    options: dict[str, str] = {}
    for number in sorted({*matching, *blocks.named.get(alias, ())}):
        for key, value in blocks.options[number].items():
            options.setdefault(key, value)
    return options


def _matches(alias: str, patterns: list[str]) -> bool:
    if any(fnmatchcase(alias, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(fnmatchcase(alias, pattern) for pattern in patterns if not pattern.startswith("!"))
