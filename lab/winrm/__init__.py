"""A WinRM service on loopback: the WS-Management shell protocol, for demos and for tests.

It speaks what Windows speaks (NTLM or SPNEGO with sealed messages over HTTP, TLS, Basic over TLS only),
so that the clients can't tell; the commands run wherever the given `Spawn` starts them.
"""

from __future__ import annotations

from lab.winrm.accounts import Accounts
from lab.winrm.certificate import Certificate, self_signed
from lab.winrm.quotas import Quotas
from lab.winrm.server import WinRMServer
from lab.winrm.spawn import Process, Spawn, posix_shell
from lab.winrm.troubles import Trouble, Troubles

__all__ = [
    "Accounts",
    "Certificate",
    "Process",
    "Quotas",
    "Spawn",
    "Trouble",
    "Troubles",
    "WinRMServer",
    "posix_shell",
    "self_signed",
]
