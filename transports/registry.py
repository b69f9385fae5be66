"""Transports by name, each imported when it is first used."""

from __future__ import annotations

import importlib
from pathlib import Path

from transports.base import Endpoint, NoPrompts, Prompts, Transport

_PLACES = {
    "local": "transports.local:LocalTransport",
    "ssh": "transports.ssh:SshTransport",
    "winrm": "transports.winrm:WinRMTransport",
    "auto": "transports.auto:AutoTransport",
}


def open_transport(
    kind: str, endpoint: Endpoint, *, known_hosts: Path, prompts: Prompts | None = None
) -> Transport:
    """Return a transport that is not connected yet; raises ValueError for an unknown ``kind``.

    ``known_hosts`` is dtui's own file of host keys, where newly trusted ones are recorded.
    """
    if kind not in _PLACES:
        raise ValueError(f"there is no transport {kind!r}; there are {', '.join(_PLACES)}")
    module, name = _PLACES[kind].split(":")
    found: type[Transport] = getattr(importlib.import_module(module), name)
    return found(endpoint, prompts or NoPrompts(), known_hosts)
