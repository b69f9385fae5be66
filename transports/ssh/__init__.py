"""SSH, with asyncssh, to OpenSSH on any system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.wire.message import Message, message
from transports.kind import AutoMethod, Service, ServiceCheck, TransportKind

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport

#: Bounds the TCP connection in seconds.
_REACH = 15.0


def _create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path, reach: float = _REACH) -> Transport:
    from transports.ssh.transport import SshTransport  # asyncssh takes 0.3 s to import

    return SshTransport(endpoint, prompts, known_hosts=known_hosts, reach=reach)


def _start_server(node: str) -> Message:
    return message(
        "preflight.ssh-closed.remedy",
        "start the SSH server of {node} (on Windows, worker_setup.ps1 installs and starts it)",
        node=node,
    )


KIND: Final = TransportKind(
    name="ssh",
    summary=message(
        "transport.ssh", "SSH (asyncssh); host keys in `.dtui/known_hosts`, a new host key is confirmed once"
    ),
    create=_create,
    uses=frozenset({"port", "user", "identity", "password", "host-key"}),
    check=ServiceCheck(
        title=message("check.ssh", "SSH port and banner"),
        services=(Service("ssh", 22),),
        remedy=_start_server,
    ),
    auto=(AutoMethod(name="ssh", order=10, create=_create),),
    ansible=("ssh", "paramiko", "paramiko_ssh", "smart", "openssh"),
)
