"""The two kinds of Windows nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncssh

from lab.ssh_node import SshNode
from lab.wine.home import WindowsHome
from lab.wine.login import WindowsLogin
from lab.wine.sftp import WindowsFiles
from lab.wine.ssh_session import WindowsSession
from lab.winrm_node import WinRMNode


class WindowsSshNode(SshNode):
    """OpenSSH for Windows: cmd.exe, a job object for each session, ``/C:/`` in SFTP."""

    def __init__(self, windows: WindowsHome, address: str, *, lab: str, extra: Mapping[str, str]) -> None:
        home = windows.as_home(lab, extra)
        super().__init__(home, address)
        self.python = windows.python
        self.software = "OpenSSH_for_Windows_9.5"
        self._windows = windows
        self._logins = WindowsLogin(windows, home)

    def _server_options(self) -> dict[str, Any]:
        return {
            **super()._server_options(),
            "sftp_factory": lambda channel: WindowsFiles(channel, self._windows),
            "allow_scp": True,
        }

    def _session(self, request: asyncssh.SSHServerProcess[bytes]) -> WindowsSession:
        return WindowsSession(request, self._logins)


class WindowsWinRMNode(WinRMNode):
    """WinRM whose commands run on Windows."""

    def __init__(self, windows: WindowsHome, address: str, *, lab: str, extra: Mapping[str, str]) -> None:
        home = windows.as_home(lab, extra)
        super().__init__(home, address, WindowsLogin(windows, home).over_winrm())
        self.python = windows.python
