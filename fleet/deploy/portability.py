"""Names that a Windows node can't keep as they are, found before anything is sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from fleet.deploy.scan import Finding

_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
#: In UTF-16 units, as NTFS counts.
_LONGEST_NAME = 255


def faults_on_windows(paths: Iterable[str]) -> tuple[Finding, ...]:
    """Return every path that Windows does not allow, or that it takes for another one of them."""
    ordered = list(paths)
    faults = [Finding(path, reason, "rename it") for path in ordered for reason in _reasons(path)]
    return (*faults, *_clashes(ordered))


def alike(paths: Iterable[str]) -> tuple[Finding, ...]:
    """Return paths that look the same as another one but are composed of other characters (NFC and NFD)."""
    seen: dict[str, str] = {}
    found = []
    for path in paths:
        if path.isascii():
            continue
        first = seen.setdefault(unicodedata.normalize("NFC", path), path)
        if first != path:
            found.append(
                Finding(
                    path, "looks the same as another name that is composed differently", "rename one of them"
                )
            )
    return tuple(found)


def decomposed(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths stored in decomposed characters (NFD, as macOS does), which programs look for in vain."""
    return tuple(path for path in paths if not path.isascii() and not unicodedata.is_normalized("NFC", path))


def _reasons(path: str) -> Iterator[str]:
    for name in path.split("/"):
        bad = _FORBIDDEN.search(name)
        if bad:
            yield f"has the character {bad.group()!r}, which Windows does not allow in names"
        if name[-1] in ". ":
            yield "has a name that ends with a dot or a space, which Windows drops"
        if _DEVICES.fullmatch(name):
            yield f"has the name {name!r}, which Windows reserves for a device"
        if len(name.encode("utf-16-le")) // 2 > _LONGEST_NAME:
            yield f"has a name of more than {_LONGEST_NAME} characters"


def _clashes(paths: list[str]) -> Iterator[Finding]:
    files: dict[str, str] = {}
    for path in paths:
        first = files.setdefault(path.casefold(), path)
        if first != path:
            yield Finding(path, f"and {first!r} are the same name on Windows", "rename one of them")
    for path in paths:
        parts = path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            file = files.get(folder.casefold())
            if file is not None:
                yield Finding(file, f"and the folder {folder!r} are the same name on Windows", "rename one")
