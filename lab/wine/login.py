"""Starts the commands of a user on a Windows node."""

from __future__ import annotations

from collections.abc import Mapping

from lab.home import NodeHome
from lab.wine.home import WindowsHome
from lab.wine.machine import COMSPEC
from lab.wine.process import Mode, WineProcess
from lab.winrm import Process, Spawn


class WindowsLogin:
    """Starts commands for one node, as sshd and as WinRM's host do."""

    def __init__(self, windows: WindowsHome, home: NodeHome) -> None:
        self._windows = windows
        self._variables = windows.variables(home.mark, home.extra)

    def over_ssh(self, command: str) -> WineProcess:
        """Start what a client asked sshd to execute: through the default shell, cmd.exe."""
        return self._start("ssh", f'"{COMSPEC}" /c "{command}"', {}, None)

    def over_winrm(self) -> Spawn:
        """Return how WinRM starts a command line."""

        def spawn(line: str, extra: Mapping[str, str], cwd: str | None, no_shell: bool) -> Process:
            return self._start("winrm", line if no_shell else f'{COMSPEC} /C "{line}"', extra, cwd)

        return spawn

    def _start(self, mode: Mode, line: str, extra: Mapping[str, str], folder: str | None) -> WineProcess:
        return self._windows.machine.run(
            mode, line, variables={**self._variables, **extra}, folder=folder or self._windows.folder
        )
