"""A Windows node's own part of the machine's drive, and the environment of a login there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.home import MARK, NodeHome
from lab.wine.machine import WindowsMachine


@dataclass(frozen=True, slots=True)
class WindowsHome:
    r"""The folder ``C:\lab\<node>`` of ``machine``; ``python`` is the interpreter's Windows path."""

    machine: WindowsMachine
    node: str
    user: str
    python: str

    def as_home(self, lab: str, extra: Mapping[str, str]) -> NodeHome:
        """The same folder as a path of the lab's system."""
        return NodeHome(lab, self.node, self.machine.drive / "lab" / self.node, self.user, extra)

    @property
    def folder(self) -> str:
        """Where commands start."""
        return rf"C:\lab\{self.node}\home"

    def variables(self, mark: str, extra: Mapping[str, str]) -> dict[str, str]:
        """Return what a login sets, and what this machine's own user must not lend."""
        home, temporary = self.folder, rf"C:\lab\{self.node}\tmp"
        python = self.python.rpartition("\\")[0]
        system = r"C:\windows\system32;C:\windows;C:\windows\system32\wbem"
        return {
            "USERPROFILE": home,
            "HOMEDRIVE": "C:",
            "HOMEPATH": home.removeprefix("C:"),
            "APPDATA": rf"{home}\AppData\Roaming",
            "LOCALAPPDATA": rf"{home}\AppData\Local",
            "TEMP": temporary,
            "TMP": temporary,
            "USERNAME": self.user,
            "COMPUTERNAME": self.node.upper(),
            "PATH": rf"{python};{python}\Scripts;{system}",
            MARK: mark,
            **extra,
        }
