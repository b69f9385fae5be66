"""OpenSSH's client configuration, resolved for one host as ``ssh -G`` does.

asyncssh reads such files itself, but stops at much that OpenSSH accepts: comments behind values, times with
units, conditions that it does not know, texts in other encodings. It therefore gets a file with the lines
that hold for the host, and no conditions.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from pathlib import Path

from agent.wire.message import Message, message
from transports.quoting import quoted

#: As in OpenSSH.
_DEEPEST = 16
#: Bytes of all files together, and seconds for the command of ``Match exec``.
_MAX_SIZE = 4 << 20
_EXEC_SECONDS = 10.0
_LINE = re.compile(r"([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)")
#: The rest of the line belongs to these, a ``#`` too.
_WHOLE = ("proxycommand", "remotecommand", "localcommand", "knownhostscommand")
#: Times, which asyncssh takes as a number of seconds only.
_TIMES = ("connecttimeout", "serveraliveinterval")
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.IGNORECASE)
_UNITS = (604_800, 86_400, 3600, 60, 1)
#: Every line of these counts; of others the first.
_REPEATED = ("identityfile", "certificatefile", "sendenv", "setenv")
_KEY_FILES = ("identityfile", "certificatefile")
#: Conditions of ``Match`` with a value. No command was typed, and asyncssh is no release of OpenSSH.
_NEVER = {"command", "version"}
_WITH_VALUE = {
    *("host", "originalhost", "user", "localuser", "tagged", "exec", "localnetwork", "sessiontype"),
    *_NEVER,
}


class ConfigFault(Exception):
    """OpenSSH would not accept the configuration either."""

    def __init__(self, file: Path, line: int, problem: Message) -> None:
        super().__init__(problem)
        self.file = file
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Line:
    """One option that holds for the host, and where it stands."""

    file: Path
    number: int
    option: str
    value: str


def resolve(config: Path, host: str, user: str | None) -> list[Line]:
    """Return the lines of the configuration that hold for the host; an absent file has none.

    Raises ConfigFault, and OSError for a file that can't be read.
    """
    if not config.exists():
        return []
    reader = _Reader(host, user, config.parent)
    reader.read(config, 0, True)
    return reader.lines


@contextmanager
def as_file(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the path of a file for asyncssh, whose line numbers are places in ``lines``, counted from 1."""
    descriptor, path = tempfile.mkstemp(prefix="dtui-ssh-")
    try:
        # In the encoding of the system, in which asyncssh reads it.
        with os.fdopen(descriptor, "w", errors="replace") as file:
            file.writelines(f"{line.option} {_for_asyncssh(line)}\n" for line in lines)
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def without_missing_keys(lines: Sequence[Line], *, key_given: bool) -> list[Line]:
    """Leave out keys and certificates that do not exist, as OpenSSH does.

    Without a key from elsewhere (``key_given``) or in another line, a missing key stays, and the login names
    it.
    """
    missing = {line for line in lines if line.option.lower() in _KEY_FILES and _is_missing(line.value)}
    keys = [line for line in lines if line.option.lower() == "identityfile"]
    if not key_given and all(line in missing for line in keys):
        missing -= set(keys)
    return [line for line in lines if line not in missing]


class _Reader:
    def __init__(self, host: str, user: str | None, folder: Path) -> None:
        self.lines: list[Line] = []
        self._host = host
        self._folder = folder
        self._user = user
        self._values: dict[str, str] = {}
        self._left = _MAX_SIZE

    def read(self, file: Path, depth: int, holds: bool) -> None:
        """Take in a file; ``holds`` says whether the block that includes it does."""
        above = holds
        for number, text in enumerate(self._text(file), 1):
            text = text.strip()
            if not text or text.startswith("#"):
                continue
            matched = _LINE.fullmatch(text)
            if matched is None:
                problem = message("ssh.config-no-value", "{word} has no value", word=text.split()[0])
                raise ConfigFault(file, number, problem)
            option = matched[1].lower()
            value = matched[2] if option in _WHOLE else _without_comment(matched[2])
            line = Line(file, number, matched[1], value)
            if option == "host":
                holds = above and _matches(self._words(line), self._host)
            elif option == "match":
                holds = self._match(line) and above
            elif option == "include":
                self._include(line, depth, holds)
            elif holds:
                self._take(line, option)

    def _text(self, file: Path) -> list[str]:
        with file.open("rb") as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ConfigFault(file, 1, message("ssh.config-size", "the file is too large"))
        # A comment may be in the code page of an editor.
        return data.decode("utf-8-sig", "replace").splitlines()

    def _words(self, line: Line) -> list[str]:
        try:
            return shlex.split(line.value, posix=True) if "\\" not in line.value else line.value.split()
        except ValueError as error:
            raise ConfigFault(line.file, line.number, Message(quoted(str(error)))) from error

    def _take(self, line: Line, option: str) -> None:
        if option in self._values and option not in _REPEATED:
            return
        if option == "hostname" and _is_address(self._host):
            return  # the inventory names this machine, and no other
        if option in _TIMES:
            line = Line(line.file, line.number, line.option, _seconds(line.value))
        self._values.setdefault(option, line.value.strip('"'))
        self.lines.append(line)

    def _include(self, line: Line, depth: int, holds: bool) -> None:
        if depth == _DEEPEST:
            problem = message("ssh.config-depth", "Include is nested more than {count} deep", count=_DEEPEST)
            raise ConfigFault(line.file, line.number, problem)
        for pattern in self._words(line):
            place = os.path.expanduser(pattern)  # noqa: PTH111 -- Path's own raises for an unknown user
            # As in OpenSSH, a pattern without files is no fault.
            for file in sorted(glob.glob(place, root_dir=self._folder)):  # noqa: PTH207
                found = self._folder / file
                if found.is_file():
                    self.read(found, depth + 1, holds)

    def _match(self, line: Line) -> bool:
        words = self._words(line)
        holds = True
        while words:
            word = words.pop(0).lower()
            condition = word.removeprefix("!")
            value = ""
            if condition in _WITH_VALUE:
                if not words:
                    problem = message("ssh.config-match", "Match {word} has no value", word=condition)
                    raise ConfigFault(line.file, line.number, problem)
                value = words.pop(0)
            # A command runs only where the conditions before it hold, as in OpenSSH.
            if holds:
                holds = self._condition(condition, value, line) != word.startswith("!")
        return holds

    def _condition(self, condition: str, value: str, line: Line) -> bool:
        patterns = value.split(",")
        if condition in ("all", "final"):
            return True
        if condition == "canonical" or condition in _NEVER:
            return False
        if condition == "exec":
            return _runs(value.replace("%%", "%").replace("%h", self._host).replace("%n", self._host))
        if condition == "localnetwork":
            return _on_network(patterns)
        local = getpass.getuser()
        texts = {
            "host": self._values.get("hostname", self._host).replace("%h", self._host),
            "originalhost": self._host,
            "user": self._user or self._values.get("user", local),
            "localuser": local,
            "tagged": self._values.get("tag", ""),
            "sessiontype": "exec",
        }
        if condition not in texts:
            problem = message("ssh.config-condition", "Match does not know {word}", word=condition)
            raise ConfigFault(line.file, line.number, problem)
        return _matches(patterns, texts[condition])


def _without_comment(value: str) -> str:
    """Return a value without a comment after it, which OpenSSH allows since 8.7."""
    in_quotes = False
    for at, letter in enumerate(value):
        if letter == '"':
            in_quotes = not in_quotes
        elif letter == "#" and not in_quotes and (at == 0 or value[at - 1].isspace()):
            return value[:at].rstrip()
    return value.rstrip()


def _matches(patterns: Sequence[str], text: str) -> bool:
    text = text.lower()
    found = False
    for pattern in patterns:
        # Brackets mean nothing in OpenSSH's patterns.
        plain = pattern.removeprefix("!").lower().replace("[", "[[]")
        if fnmatchcase(text, plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _for_asyncssh(line: Line) -> str:
    if os.name == "nt" and line.option.lower() not in _WHOLE:
        return line.value.replace("\\", "\\\\")  # it takes backslashes for escapes
    return line.value


def _is_missing(value: str) -> bool:
    value = value.strip('"')
    if value.lower() == "none" or "%" in value or "${" in value:
        return False
    return not os.path.exists(os.path.expanduser(value))  # noqa: PTH110, PTH111


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _seconds(value: str) -> str:
    """Return a time such as ``1m30s`` in seconds; what is none is left for asyncssh to refuse."""
    matched = _TIME.fullmatch(value)
    if not value or matched is None:
        return value
    return str(sum(int(count) * unit for count, unit in zip(matched.groups("0"), _UNITS, strict=True)))


def _runs(command: str) -> bool:
    try:
        # A command of the user's own configuration, which OpenSSH gives to a shell.
        done = subprocess.run(  # noqa: S602
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _on_network(patterns: Sequence[str]) -> bool:
    """Whether this machine has an address in one of the networks, as its routes to them tell."""
    networks = []
    for pattern in patterns:
        try:
            networks.append(ip_network(pattern.removeprefix("!"), strict=False))
        except ValueError:
            continue
    addresses = {ip_address(address) for network in networks if (address := _towards(str(network[0])))}
    return any(address in network for address in addresses for network in networks)


def _towards(address: str) -> str | None:
    """Return this machine's address on the route to another; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
