"""Known host keys: OpenSSH's files are read, and new keys are added to dtui's own file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from transports.regular_files import read_regular
from transports.trust_file import TrustFile

#: asyncssh's result of a look-up: trusted, authority and revoked keys, then four kinds of X.509 entries.
_TRUSTED, _AUTHORITY, _REVOKED = range(3)
_KINDS = 7


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A recorded key and its location; ``line`` counts from 1."""

    key: asyncssh.SSHKey
    file: Path
    line: int
    revoked: bool


class KnownHosts:
    """Looks keys up in ``own`` and ``others``, and records new ones in ``own``.

    The files have OpenSSH's format, with hashed names, patterns and markers. Invalid lines
    are skipped, as OpenSSH does.
    """

    def __init__(self, own: Path, others: Sequence[Path] = ()) -> None:
        self._own = TrustFile(own)
        self._others = others

    def check(self) -> None:
        """Raise TransportError when ``own`` can't be read; asyncssh drops exceptions of its look-up."""
        self._own.read()

    def recorded(self, host: str, port: int) -> list[KnownKey]:
        """Return the trusted and revoked keys of exactly this host and port."""
        return [
            KnownKey(key, file, line, revoked=kind == _REVOKED)
            for file, line, found in self._matches(_name(host, port))
            for kind in (_TRUSTED, _REVOKED)
            for key in found[kind]
        ]

    def trusted(self, host: str, port: int) -> tuple[list[asyncssh.SSHKey], ...]:
        """Return the trusted, authority and revoked keys in asyncssh's form, without X.509.

        If nothing is recorded for the port, the keys of the host at port 22 apply.
        """
        answer = self._merged(_name(host, port))
        return answer if any(answer) or port == 22 else self._merged(host)

    def record(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Add a key that the user has confirmed; raises TransportError."""
        self._own.append(f"{_name(host, port)} {key.export_public_key().decode('ascii').strip()}\n")

    def _merged(self, name: str) -> tuple[list[asyncssh.SSHKey], ...]:
        merged: tuple[list[asyncssh.SSHKey], ...] = tuple([] for _ in range(_KINDS))
        for _, _, found in self._matches(name):
            for kind in (_TRUSTED, _AUTHORITY, _REVOKED):
                merged[kind].extend(found[kind])
        return merged

    def _matches(self, name: str) -> Iterator[tuple[Path, int, Sequence[Sequence[Any]]]]:
        for path, text in self._texts():
            for number, line in enumerate(text.splitlines(), 1):
                try:
                    # Pass a bracketed name with its port as the name; asyncssh would fall back to the host.
                    found = asyncssh.import_known_hosts(line).match(name, "", None)
                except ValueError:
                    continue
                if any(found):
                    yield path, number, found

    def _texts(self) -> Iterator[tuple[Path, str]]:
        yield self._own.path, self._own.read()
        for path in self._others:
            with suppress(OSError):  # OpenSSH's own files may be missing
                yield path, read_regular(path).decode("utf-8", "replace")


def _name(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"
