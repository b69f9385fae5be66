"""OpenSSH's client configuration as asyncssh can read it: what asyncssh cannot read costs that entry only.

OpenSSH ignores a comment after a value, times with units, an absent certificate and bytes that are not UTF-8,
and has criteria of ``Match`` that asyncssh lacks. A copy without them is made if the file needs one. Lines
keep their numbers.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from transports.regular_files import read_regular, read_start
from transports.ssh.config_syntax import included_files, without_comment

_DEEPEST = 8
_MAX_SIZE = 4 << 20
_MAX_FILES = 512
_MAX_REPAIRS = 200
_OPTION = re.compile(r"(\s*)(\w+)(\s*=\s*|\s+)(.*)")
#: Their value is the rest of the line.
_WHOLE = ("proxycommand", "localcommand", "remotecommand", "knownhostscommand", "match")
_TIMES = ("connecttimeout", "serveraliveinterval")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_FAULT = re.compile(r"(.+) line (\d+): ")
#: A block of no host.
_NO_HOST = "Host dtui.invalid"


class ClientConfig:
    """A configuration and, if it needs one, its readable copy, which is removed with this object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copies: dict[Path, Path] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._readable: Path | None = None
        self._sources: dict[Path, Path] = {}
        self._ignored: dict[tuple[Path, int], str] = {}

    @property
    def ignored(self) -> list[str]:
        """``FILE:LINE: TEXT`` of the entries that were left out, for a login that fails."""
        return [f"{file}:{number}: {text.strip()}" for (file, number), text in self._ignored.items()]

    def files(self) -> list[str] | None:
        """Return what asyncssh reads, None without a configuration.

        Raises OSError when the file cannot be read, is not a regular file or is huge.
        """
        if self._readable is None:
            try:
                read_regular(self.path, _MAX_SIZE)
            except FileNotFoundError:
                return None
            self._readable = (
                self._copy(self.path, ()) if self._needs_copy(self.path, (), set()) else self.path
            )
        return [str(self._readable)]

    def read_by(self, attempt: Callable[[], None]) -> None:
        """Call ``attempt``, which reads the files, again without the line that each error names.

        Raises the error of an attempt that names no line.
        """
        for _ in range(_MAX_REPAIRS):
            try:
                return attempt()
            except ValueError as error:
                found = _FAULT.match(str(error))
                if found is None or not self._without_line(Path(found[1]), int(found[2])):
                    raise
        return attempt()

    def _without_line(self, file: Path, number: int) -> bool:
        if self._readable == self.path:
            # Copies keep the numbers of the lines.
            self._readable = self._copy(self.path, ())
        place = self._copies.get(file, file)
        if place not in self._copies.values():
            return False
        lines = place.read_text("utf-8").split("\n")
        if not 1 <= number <= len(lines) or not lines[number - 1]:
            return False
        self._ignored[(self._sources[place], number)] = lines[number - 1]
        starts_block = re.match(r"\s*(?:host|match)\b", lines[number - 1], re.IGNORECASE)
        lines[number - 1] = _NO_HOST if starts_block and lines[number - 1] != _NO_HOST else ""
        place.write_text("\n".join(lines), "utf-8")
        return True

    def _needs_copy(self, path: Path, above: tuple[Path, ...], seen: set[Path]) -> bool:
        seen.add(path)
        text, exact = _text(path)
        lines = text.split("\n")
        if not exact or any(_readable(line) != line for line in lines):
            return True
        for included in (one for line in lines for one in self._included(line)):
            # asyncssh would follow files that include each other without an end.
            if included in (path, *above) or len(above) >= _DEEPEST or len(seen) >= _MAX_FILES:
                return True
            if not included.is_file():
                return True  # it would wait for a FIFO
            if included not in seen and self._needs_copy(included, (*above, path), seen):
                return True
        return False

    def _copy(self, path: Path, above: tuple[Path, ...]) -> Path:
        if path in self._copies:
            return self._copies[path]
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dtui-ssh-")
        place = self._copies[path] = Path(self._folder.name) / str(len(self._copies))
        self._sources[place] = path
        lines = []
        for number, line in enumerate(_text(path)[0].split("\n"), 1):
            if _key(line) != "include":
                lines.append(_readable(line))
                if line.strip() and not lines[-1]:
                    self._ignored[(path, number)] = line
                continue
            copies = []
            for included in self._included(line):
                known = included in self._copies or (len(above) < _DEEPEST and len(self._copies) < _MAX_FILES)
                if included not in (path, *above) and known and included.is_file():
                    copies.append(f'"{self._copy(included, (*above, path)).as_posix()}"')
            lines.append(f"Include {' '.join(copies)}" if copies else "")
        place.write_text("\n".join(lines), "utf-8")
        return place

    def _included(self, line: str) -> list[Path]:
        option = _OPTION.match(line)
        if option is None or option[2].lower() != "include":
            return []
        return included_files(option[4], self.path.parent)


def _text(path: Path) -> tuple[str, bool]:
    """Return a file's text, and whether it is UTF-8 as it stands."""
    try:
        data = read_start(path, _MAX_SIZE)
    except OSError:
        return "", True
    try:
        text = data.decode("utf-8")
        exact = not text.startswith("\ufeff")
    except UnicodeDecodeError:
        # Only comments and descriptions are in another encoding.
        text, exact = data.decode("utf-8", "replace"), False
    return text.removeprefix("\ufeff").replace("\r\n", "\n"), exact


def _key(line: str) -> str:
    found = _OPTION.match(line)
    return found[2].lower() if found else ""


def _readable(line: str) -> str:
    """Return a line as asyncssh reads it, an empty one for an entry without effect."""
    found = _OPTION.match(line)
    if found is None or found[2].lower() in _WHOLE:
        return line
    indent, option, between, value = found.groups()
    plain = without_comment(value)
    key = option.lower()
    if key in _TIMES and (seconds := _seconds(plain.strip().strip('"'))) is not None:
        plain = str(seconds)
    if key in ("identityfile", "certificatefile") and _is_missing(plain.strip().strip('"')):
        return ""
    return line if plain == value else f"{indent}{option}{between}{plain}"


def _seconds(text: str) -> int | None:
    """Return the seconds of a time such as ``1h30m``, None for a plain number and for any other text."""
    if text.isdigit() or not re.fullmatch(r"(\d+[smhdw]?)+", text, re.IGNORECASE):
        return None
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in _TIME.findall(text))


def _is_missing(name: str) -> bool:
    if "%" in name or "$" in name or name.lower() == "none":
        return False
    try:
        return not Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return True
