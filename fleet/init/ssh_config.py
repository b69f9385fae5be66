"""The hosts of an OpenSSH client configuration, with what its blocks say of them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

_DEEPEST = 8
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")


def read_hosts(path: Path) -> dict[str, dict[str, str]]:
    """Return the options of every host that has a ``Host`` line of its own, keys in lower case.

    As for OpenSSH the first value that matches counts, from whatever block. ``Match`` blocks depend on more
    than a name and are passed over. An absent or unreadable file has no hosts.
    """
    lines = _lines(path, path.parent, 0)
    aliases = [
        alias
        for key, value in lines
        if key == "host"
        for alias in _words(value)
        if not set(alias) & set("*?!")
    ]
    return {alias: _options(alias, lines) for alias in dict.fromkeys(aliases)}


def _lines(path: Path, folder: Path, depth: int) -> list[tuple[str, str]]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        matched = _LINE.match(line)
        if matched is None or line.lstrip().startswith("#"):
            continue
        key, value = matched[1].lower(), matched[2]
        if key != "include":
            found.append((key, value))
        elif depth < _DEEPEST:
            for pattern in _words(value):
                place = Path(pattern).expanduser()
                root, relative = (folder, pattern) if not place.is_absolute() else (place.parent, place.name)
                for included in sorted(root.glob(relative)):
                    found += _lines(included, folder, depth + 1)
    return found


def _options(alias: str, lines: list[tuple[str, str]]) -> dict[str, str]:
    options: dict[str, str] = {}
    applies = True
    for key, value in lines:
        if key == "host":
            applies = _matches(alias, _words(value))
        elif key == "match":
            applies = False
        elif applies:
            options.setdefault(key, value.strip('"'))
    return options


def _matches(alias: str, patterns: list[str]) -> bool:
    if any(fnmatchcase(alias, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(fnmatchcase(alias, pattern) for pattern in patterns if not pattern.startswith("!"))


def _words(value: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', value)]
