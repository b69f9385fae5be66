"""Transports by name, each imported when it is first used."""

from __future__ import annotations

from pathlib import Path

from transports.base import Endpoint, NoPrompts, Prompts, Transport

KINDS = ("local", "ssh", "winrm", "auto")


def open_transport(
    kind: str, endpoint: Endpoint, *, known_hosts: Path, prompts: Prompts | None = None
) -> Transport:
    """Return a transport that is not connected yet; raises ValueError for an unknown ``kind``.

    ``known_hosts`` is dtui's own file of host keys, where newly trusted ones are recorded.
    """
    asking = prompts or NoPrompts()
    if kind == "local":
        from transports.local import LocalTransport

        return LocalTransport(endpoint, asking)
    if kind == "ssh":
        from transports.ssh import SshTransport

        return SshTransport(endpoint, asking, known_hosts=known_hosts)
    if kind == "winrm":
        from transports.winrm import WinRMTransport

        return WinRMTransport(endpoint, asking, known_hosts=known_hosts)
    if kind == "auto":
        from transports.auto import AutoTransport

        return AutoTransport(endpoint, asking, known_hosts=known_hosts)
    raise ValueError(f"there is no transport {kind!r}; there are {', '.join(KINDS)}")
