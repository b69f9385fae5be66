"""Host keys that are known: the user's ``known_hosts`` to read, dtui's own to add to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A recorded key and where it stands; ``line`` counts from 1."""

    key: asyncssh.SSHKey
    file: Path
    line: int


class KnownHosts:
    """Looks keys up in ``own`` and ``others``, and records new ones in ``own``.

    The files have OpenSSH's format, hashed names included. Lines that can't be read are passed over, as
    OpenSSH does.
    """

    def __init__(self, own: Path, others: Sequence[Path] = ()) -> None:
        self._own = own
        self._files = (own, *others)

    def keys(self, host: str, port: int) -> list[KnownKey]:
        """Return the keys recorded for exactly this host and port."""
        return [known for known, exact in self._matches(host, port) if exact]

    def trusted(self, host: str, port: int) -> list[asyncssh.SSHKey]:
        """Return the keys to accept: those of ``keys``, or without any those of the host at any port."""
        matches = self._matches(host, port)
        exact = [known.key for known, is_exact in matches if is_exact]
        return exact or [known.key for known, _ in matches]

    def record(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Add a key that a person has confirmed."""
        self._own.parent.mkdir(parents=True, exist_ok=True)
        line = f"{_name(host, port)} {key.export_public_key().decode('ascii').strip()}\n"
        with self._own.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _matches(self, host: str, port: int) -> list[tuple[KnownKey, bool]]:
        found = []
        for path in self._files:
            try:
                lines = path.read_text("utf-8", "replace").splitlines()
            except OSError:
                continue
            for number, line in enumerate(lines, 1):
                try:
                    entry = asyncssh.import_known_hosts(line)
                except ValueError:
                    continue
                exact = _host_keys(entry, host, None if port == 22 else port)
                loose = [] if exact or port == 22 else _host_keys(entry, host, None)
                found += [(KnownKey(key, path, number), True) for key in exact]
                found += [(KnownKey(key, path, number), False) for key in loose]
        return found


def _host_keys(entry: asyncssh.SSHKnownHosts, host: str, port: int | None) -> list[asyncssh.SSHKey]:
    # SSHKnownHosts.match falls back to the host without its port; the two must be told apart here.
    return list(entry._match(host, "", port)[0])


def _name(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"
