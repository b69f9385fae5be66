"""What watches over a node's files and ports: Defender's exclusions, and which firewall is at work."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from typing import Any, List, Optional, Sequence

from agent.wire.preflight import Defender, Firewall

WINDOWS = os.name == "nt"
_DEFENDER = r"SOFTWARE\Microsoft\Windows Defender"
_PROFILES = r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"


def defender() -> Optional[Defender]:
    """Return ``{"watching", "excluded"}`` of Windows' virus scanner, None on other systems.

    ``excluded`` are folders; None where only administrators may read them, and we are none.
    """
    if not WINDOWS:
        return None
    from agent.facts.windows import registry

    disabled = registry("HKLM", _DEFENDER + r"\Real-Time Protection", "DisableRealtimeMonitoring")
    passive = registry("HKLM", _DEFENDER, "PassiveMode")
    return {
        "watching": disabled != 1 and passive not in (1, 2),
        "excluded": _names(_DEFENDER + r"\Exclusions\Paths"),
    }


def _names(path: str) -> Optional[List[str]]:
    winreg: Any = importlib.import_module("winreg")
    try:
        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        ) as key:
            return [winreg.EnumValue(key, number)[0] for number in range(winreg.QueryInfoKey(key)[1])]
    except FileNotFoundError:
        return []
    except OSError:
        return None


def firewall() -> Optional[Firewall]:
    """Return the firewall at work: ``windows``, ``ufw``, ``firewalld``, ``iptables``; None: none found."""
    if WINDOWS:
        from agent.facts.windows import registry

        profiles = ("StandardProfile", "PublicProfile", "DomainProfile")
        states = [registry("HKLM", _PROFILES + "\\" + name, "EnableFirewall") for name in profiles]
        return "windows" if 1 in states else None
    if "active" in _said("ufw", "status").split("\n")[0].lower().replace("inactive", ""):
        return "ufw"
    if _said("firewall-cmd", "--state").strip() == "running":
        return "firewalld"
    rules = _said("iptables", "-S", "INPUT").splitlines()
    return "iptables" if any(rule != "-P INPUT ACCEPT" for rule in rules) else None


def _said(*argv: str) -> str:
    program = shutil.which(argv[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return run([program, *argv[1:]]) if program else ""


def run(argv: Sequence[str]) -> str:
    """Return what a short-lived program prints, empty when it fails or takes longer than 5 s."""
    try:
        done = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
