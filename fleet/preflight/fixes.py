"""What dtui can mend on a node, as the exact commands that it would run. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.frozen import frozen
from fleet.inventory import Node
from fleet.preflight.catalog import GUIDE_PORTS
from fleet.preflight.pairs import EPHEMERAL

Argv = tuple[str, ...]
_POWERSHELL = ("powershell", "-NoProfile", "-NonInteractive", "-Command")
_FILE_SYSTEM = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"
#: The rule and the group of rules that worker_setup.ps1 makes too, and that its -Undo takes back.
RULE, RULE_GROUP = "dtui-ranks", "dtui"


@frozen
class Fix:
    """One thing to change on a node. Exactly one of ``commands``, ``ends`` and ``interface`` is set."""

    node: str
    what: str
    #: Names of the checks that should pass afterwards.
    checks: tuple[str, ...]
    commands: tuple[Argv, ...] = ()
    #: Processes of earlier runs to end: run and pid.
    ends: tuple[tuple[str, int], ...] = ()
    #: Adapter to write into the inventory.
    interface: str = ""
    needs_administrator: bool = False

    @property
    def shown(self) -> str:
        """What will be done, exactly, one line a step."""
        if self.ends:
            return "\n".join(f"end process {pid} of run {run}" for run, pid in self.ends)
        if self.interface:
            return f"in the inventory, at {self.node}: `interface: {self.interface}`"
        return "\n".join(command_text(argv) for argv in self.commands)


@frozen
class Patient:
    """A node with what is needed to mend it: its facts, its conditions, and the cluster's other addresses."""

    node: Node
    facts: Mapping[str, Any]
    conditions: Mapping[str, Any]
    others: tuple[str, ...]

    @property
    def system(self) -> str:
        """What the node runs: ``Windows``, ``Linux``; empty when that is not known."""
        return system_of(self.facts)


def fixes_for(patient: Patient, troubled: Sequence[str]) -> list[Fix]:
    """Return the fixes for the checks of a node that warned or failed, each fix once."""
    found: list[Fix] = []
    for check in troubled:
        make = _maker(check, patient.system)
        fix = make(patient) if make else None
        if fix is not None and fix not in found:
            found.append(fix)
    return found


def fixable(check: str, system: str = "") -> bool:
    """Return whether some fix is known for a check on a system; on any of them when none is named."""
    return _maker(check, system or _WINDOWS) is not None


def system_of(facts: Mapping[str, Any]) -> str:
    """Return the system that a node's facts tell of; empty when they don't."""
    return str((facts.get("os") or {}).get("system") or "")


def command_text(argv: Sequence[str]) -> str:
    """Return a command as a person would type it."""
    return " ".join(f'"{word}"' if not word or set(word) & set(" '&|;()") else word for word in argv)


def _firewall(patient: Patient) -> Fix | None:
    makers: dict[str, Callable[[Sequence[str]], tuple[Argv, ...]]] = {
        "windows": _windows_rule,
        "ufw": lambda others: tuple(("ufw", "allow", "proto", "tcp", "from", one) for one in others),
        "firewalld": _firewalld,
        "iptables": lambda others: (
            ("iptables", "-I", "INPUT", "-p", "tcp", "-s", ",".join(others), "-j", "ACCEPT"),
        ),
    }
    make = makers.get(str(patient.conditions.get("firewall")))
    if make is None or not patient.others:
        return None
    ports = tuple(str(port) for port in GUIDE_PORTS)
    return Fix(
        patient.node.name,
        f"let {', '.join(patient.others)} in at all TCP ports, and nobody else",
        (*ports, EPHEMERAL),
        make(patient.others),
        needs_administrator=True,
    )


def _windows_rule(others: Sequence[str]) -> tuple[Argv, ...]:
    """Make the ranks' rule anew, for those that it let in before and the others."""
    wanted = ", ".join(f"'{one}'" for one in others)
    present = f"Get-NetFirewallRule -Name {RULE} -ErrorAction SilentlyContinue"
    command = (
        f"$from = @({present} | Get-NetFirewallAddressFilter | ForEach-Object {{ $_.RemoteAddress }}); "
        f"$from = @($from + @({wanted}) | Select-Object -Unique); "
        f"Remove-NetFirewallRule -Name {RULE} -ErrorAction SilentlyContinue; "
        f"New-NetFirewallRule -Name {RULE} -DisplayName 'dtui: ranks among each other' -Group {RULE_GROUP} "
        "-Direction Inbound -Action Allow -Profile Any -Protocol TCP -RemoteAddress $from"
    )
    return ((*_POWERSHELL, command),)


def _firewalld(others: Sequence[str]) -> tuple[Argv, ...]:
    rules = [
        f'rule family="{"ipv6" if ":" in one else "ipv4"}" source address="{one}" accept' for one in others
    ]
    add = tuple(("firewall-cmd", "--permanent", f"--add-rich-rule={rule}") for rule in rules)
    return (*add, ("firewall-cmd", "--reload"))


def _sleep(patient: Patient) -> Fix:
    settings = ("standby-timeout-ac", "hibernate-timeout-ac")
    return Fix(
        patient.node.name,
        "never sleep nor hibernate on AC",
        ("sleep",),
        tuple(("powercfg", "/change", setting, "0") for setting in settings),
    )


def _long_paths(patient: Patient) -> Fix:
    return Fix(
        patient.node.name,
        "allow paths over 260 characters",
        ("long-paths",),
        (("reg", "add", _FILE_SYSTEM, "/v", "LongPathsEnabled", "/t", "REG_DWORD", "/d", "1", "/f"),),
        needs_administrator=True,
    )


def _execution_policy(patient: Patient) -> Fix:
    command = "Set-ExecutionPolicy -ExecutionPolicy RemoteSigned -Scope CurrentUser -Force"
    return Fix(
        patient.node.name,
        "let the user run scripts made on the machine, and signed ones",
        ("execution-policy",),
        ((*_POWERSHELL, command),),
    )


def _defender(patient: Patient) -> Fix:
    folder = str(patient.conditions["project"]).replace("'", "''")
    return Fix(
        patient.node.name,
        "have Defender leave the project's folder out",
        ("defender",),
        ((*_POWERSHELL, f"Add-MpPreference -ExclusionPath '{folder}'"),),
        needs_administrator=True,
    )


def _adapter(patient: Patient) -> Fix | None:
    adapters = patient.facts.get("adapters") or ()
    chosen = next(
        (one["name"] for one in adapters if patient.node.address in (one.get("addresses") or ())), None
    ) or next((one["name"] for one in adapters if one.get("default_route")), None)
    known = any(one.get("routes_to_master") for one in adapters)
    if chosen is None or known or patient.node.interface:
        return None
    return Fix(patient.node.name, "name the adapter of the ranks", ("adapter",), interface=str(chosen))


def _leftovers(patient: Patient) -> Fix | None:
    orphans = patient.conditions.get("orphans") or ()
    if not orphans:
        return None
    return Fix(
        patient.node.name,
        "end what earlier runs left running",
        ("leftovers", "gpu-free", *(str(port) for port in GUIDE_PORTS)),
        ends=tuple((str(one["run"]), int(one["pid"])) for one in orphans),
    )


def _compute_mode(patient: Patient) -> Fix | None:
    gpus = patient.facts.get("gpus") or ()
    barred = [str(one["index"]) for one in gpus if one.get("compute_mode") == "prohibited"]
    if not barred:
        return None
    return Fix(
        patient.node.name,
        "let the GPU compute",
        ("gpu-mode",),
        (("nvidia-smi", "-i", ",".join(barred), "-c", "DEFAULT"),),
        needs_administrator=True,
    )


def _clock(patient: Patient) -> Fix:
    return Fix(
        patient.node.name, "set the clock by the network's time", ("clock",), (("w32tm", "/resync"),),
        needs_administrator=True,
    )  # fmt: skip


_Maker = Callable[[Patient], Fix | None]
_WINDOWS = "Windows"
_ANYWHERE: Mapping[str, _Maker] = {
    EPHEMERAL: _firewall,
    "adapter": _adapter,
    "leftovers": _leftovers,
    "gpu-mode": _compute_mode,
}
_ON_WINDOWS: Mapping[str, _Maker] = {
    "sleep": _sleep,
    "long-paths": _long_paths,
    "execution-policy": _execution_policy,
    "defender": _defender,
    "clock": _clock,
}


def _maker(check: str, system: str) -> _Maker | None:
    if check.isdigit():
        return _firewall
    return _ANYWHERE.get(check) or (_ON_WINDOWS.get(check) if system == _WINDOWS else None)
