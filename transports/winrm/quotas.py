"""The quotas of a node's WinRM service, read at login."""

from __future__ import annotations

import re
from dataclasses import dataclass

import xmltodict
from winrm.protocol import Protocol

_CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
_GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
#: Bytes of the envelope that a request's XML and its seal take.
_AROUND = 4096
#: Safe for every release of Windows.
SMALL_SEND = 110_000
#: Larger ones are no faster, and delay the other WinRM sessions of the node.
_LARGEST_SEND = 360_000


@dataclass(frozen=True, slots=True)
class NodeQuotas:
    """None: not reported, because only administrators may read the config."""

    max_envelope_kb: int | None = None
    max_timeout_ms: int | None = None
    max_shells_per_user: int | None = None
    max_processes_per_shell: int | None = None
    max_memory_per_shell_mb: int | None = None
    allow_remote_shells: bool | None = None

    @property
    def reported(self) -> bool:
        """Whether the account could read the config, and so is an administrator of the node."""
        return self.max_envelope_kb is not None

    @property
    def send_size(self) -> int:
        """Number of raw bytes that fit into one Send."""
        if self.max_envelope_kb is None:
            return SMALL_SEND
        fits = (self.max_envelope_kb * 1024 - _AROUND) * 3 // 4
        return max(4096, min(fits, _LARGEST_SEND))


def quotas_request(protocol: Protocol) -> str:
    """Return the message that requests ``winrm/config``."""
    envelope = protocol.build_wsman_header(_GET, _CONFIG)
    return str(xmltodict.unparse({"env:Envelope": {**envelope, "env:Body": {}}}))


def read_quotas(answer: bytes) -> NodeQuotas:
    """Read the answer; elements that a release does not have stay None."""

    def number(name: str) -> int | None:
        found = re.search(rb"<(?:\w+:)?%s>\s*(\d{1,10})\s*<" % name.encode("ascii"), answer)
        return int(found.group(1)) if found else None

    allowed = re.search(rb"<(?:\w+:)?AllowRemoteShellAccess>\s*(true|false)\s*<", answer, re.IGNORECASE)
    return NodeQuotas(
        max_envelope_kb=number("MaxEnvelopeSizekb"),
        max_timeout_ms=number("MaxTimeoutms"),
        max_shells_per_user=number("MaxShellsPerUser"),
        max_processes_per_shell=number("MaxProcessesPerShell"),
        max_memory_per_shell_mb=number("MaxMemoryPerShellMB"),
        allow_remote_shells=allowed.group(1).lower() == b"true" if allowed else None,
    )
