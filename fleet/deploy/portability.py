"""Names that a Windows node can't keep as they are, found before anything is sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from agent.wire.message import Message, message
from fleet.deploy.scan import Finding

_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
#: In UTF-16 units, as NTFS counts.
_LONGEST_NAME = 255
_RENAME_ONE = message("deploy.same-name.remedy", "rename one of the two files")


def faults_on_windows(paths: Iterable[str]) -> tuple[Finding, ...]:
    """Return every path that Windows does not allow, or that is the same as another one for Windows."""
    ordered = list(paths)
    remedy = message("deploy.windows-name.remedy", "rename the files whose names Windows does not allow")
    faults = [Finding(path, reason, remedy) for path in ordered for reason in _reasons(path)]
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
            what = message(
                "deploy.alike",
                "{path!r} looks the same as another name that is composed differently",
                path=path,
            )
            found.append(Finding(path, what, _RENAME_ONE))
    return tuple(found)


def decomposed(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths stored in decomposed characters (NFD, as macOS does), which programs do not find."""
    return tuple(path for path in paths if not path.isascii() and not unicodedata.is_normalized("NFC", path))


def _reasons(path: str) -> Iterator[Message]:
    for name in path.split("/"):
        bad = _FORBIDDEN.search(name)
        if bad:
            yield message(
                "deploy.windows-character",
                "{path!r} has the character {character!r}, which Windows does not allow in names",
                path=path,
                character=bad.group(),
            )
        if name[-1] in ". ":
            yield message(
                "deploy.windows-ending",
                "{path!r} has a name that ends with a dot or a space, which Windows removes",
                path=path,
            )
        if _DEVICES.fullmatch(name):
            yield message(
                "deploy.windows-device",
                "{path!r} has the name {name!r}, which Windows reserves for a device",
                path=path,
                name=name,
            )
        if len(name.encode("utf-16-le")) // 2 > _LONGEST_NAME:
            yield message(
                "deploy.windows-long-name",
                "{path!r} has a name of more than {count} characters",
                path=path,
                count=_LONGEST_NAME,
            )


def _clashes(paths: list[str]) -> Iterator[Finding]:
    files: dict[str, str] = {}
    for path in paths:
        first = files.setdefault(path.casefold(), path)
        if first != path:
            what = message(
                "deploy.same-name",
                "{path!r} and {other!r} are the same name on Windows",
                path=path,
                other=first,
            )
            yield Finding(path, what, _RENAME_ONE)
    for path in paths:
        parts = path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            file = files.get(folder.casefold())
            if file is not None:
                what = message(
                    "deploy.same-name-as-folder",
                    "{path!r} and the folder {folder!r} are the same name on Windows",
                    path=file,
                    folder=folder,
                )
                yield Finding(
                    file, what, message("deploy.same-name-as-folder.remedy", "rename the file or the folder")
                )
