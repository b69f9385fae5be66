"""A WinRM service on loopback: the WS-Management shell protocol, for demos and for tests.

It implements the protocols of Windows (NTLM or SPNEGO with sealed messages over HTTP, TLS, Basic over TLS
only), so that clients need no changes; the given `Spawn` starts the commands.
"""

from __future__ import annotations

from lab.winrm.accounts import Accounts
from lab.winrm.certificate import Certificate, self_signed
from lab.winrm.fault_injection import FaultInjector, Injection
from lab.winrm.quotas import Quotas
from lab.winrm.server import WinRMServer
from lab.winrm.spawn import Process, Spawn, posix_shell

__all__ = [
    "Accounts",
    "Certificate",
    "FaultInjector",
    "Injection",
    "Process",
    "Quotas",
    "Spawn",
    "WinRMServer",
    "posix_shell",
    "self_signed",
]
