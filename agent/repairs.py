"""What ``preflight --fix`` may run on a node: each repair by its name, with checked values.

Both ends build the commands with this module. The console shows them to the user, and sends the name and
the values only; so the node runs no command but these, and an address that another node reports can be
nothing but an address.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Sequence, Tuple

from agent.powershell import command
from agent.quoting import Unsafe, address, index, powershell, printable, windows_folder
from agent.wire.message import message

Argv = Tuple[str, ...]

#: The rule and the group of rules that worker_setup.ps1 makes too, and that its -Undo takes back.
RULE, RULE_GROUP = "dtui-ranks", "dtui"
#: Peers of one rule: a fleet has thousands of nodes at most.
_MOST_VALUES = 20_000
_FILE_SYSTEM = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"


def commands(repair: str, values: Sequence[object] = ()) -> Tuple[Argv, ...]:
    """Return the commands of a repair, in their order; raises Unsafe."""
    make = _REPAIRS.get(repair)
    if make is None:
        raise Unsafe(message("repair.unknown", "{name} is not a repair", name=printable(repair)))
    if len(values) > _MOST_VALUES:
        raise Unsafe(
            message(
                "repair.too-many-values",
                "a repair takes up to {limit} values, not {count}",
                limit=_MOST_VALUES,
                count=len(values),
            )
        )
    return make(values)


def _fixed(*argvs: Argv) -> Callable[[Sequence[object]], Tuple[Argv, ...]]:
    def make(values: Sequence[object]) -> Tuple[Argv, ...]:
        if values:
            raise Unsafe(
                message(
                    "repair.no-value", "the repair takes no value, not {value}", value=printable(values[0])
                )
            )
        return argvs

    return make


def _addresses(values: Sequence[object]) -> List[str]:
    if not values:
        raise Unsafe(message("repair.no-address", "the repair needs at least one address"))
    return list(dict.fromkeys(address(value) for value in values))


def _windows_rule(values: Sequence[object]) -> Tuple[Argv, ...]:
    """Add the addresses to the ranks' rule, or make it. A rule that admits any address admits these only."""
    wanted = ", ".join(powershell(one) for one in _addresses(values))
    script = (
        "$rule = $null; try { $rule = Get-NetFirewallRule -Name %s } "
        "catch { if ($_.CategoryInfo.Category -ne 'ObjectNotFound') { throw } }; "
        "if ($rule) { "
        "$from = @($rule | Get-NetFirewallAddressFilter | ForEach-Object { $_.RemoteAddress } "
        "| Where-Object { $_ -ne 'Any' }); "
        "Set-NetFirewallRule -Name %s -Enabled True "
        "-RemoteAddress @($from + @(%s) | Select-Object -Unique) "
        "} else { "
        "New-NetFirewallRule -Name %s -DisplayName 'dtui: ranks among each other' -Group %s "
        "-Direction Inbound -Action Allow -Profile Any -Protocol TCP -RemoteAddress @(%s) }"
    ) % (RULE, RULE, wanted, RULE, RULE_GROUP, wanted)
    return (command(script),)


def _ufw(values: Sequence[object]) -> Tuple[Argv, ...]:
    return tuple(("ufw", "allow", "proto", "tcp", "from", one) for one in _addresses(values))


def _firewalld(values: Sequence[object]) -> Tuple[Argv, ...]:
    rules = [
        'rule family="%s" source address="%s" accept' % ("ipv6" if ":" in one else "ipv4", one)
        for one in _addresses(values)
    ]
    add = tuple(("firewall-cmd", "--permanent", "--add-rich-rule=" + rule) for rule in rules)
    return (*add, ("firewall-cmd", "--reload"))


def _iptables(values: Sequence[object]) -> Tuple[Argv, ...]:
    found = _addresses(values)
    families = (
        ("iptables", [one for one in found if ":" not in one]),
        ("ip6tables", [one for one in found if ":" in one]),
    )
    return tuple(
        (program, "-I", "INPUT", "-p", "tcp", "-s", ",".join(some), "-j", "ACCEPT")
        for program, some in families
        if some
    )


def _defender(values: Sequence[object]) -> Tuple[Argv, ...]:
    if len(values) != 1:
        raise Unsafe(message("repair.folders", "the repair takes one folder, not {count}", count=len(values)))
    folder = powershell(windows_folder(values[0]))
    return (command("Add-MpPreference -ExclusionPath " + folder),)


def _compute_mode(values: Sequence[object]) -> Tuple[Argv, ...]:
    if not values:
        raise Unsafe(message("repair.no-gpu", "the repair needs at least one GPU"))
    return (("nvidia-smi", "-i", ",".join(index(one) for one in values), "-c", "DEFAULT"),)


_REPAIRS: Dict[str, Callable[[Sequence[object]], Tuple[Argv, ...]]] = {
    "firewall-windows": _windows_rule,
    "firewall-ufw": _ufw,
    "firewall-firewalld": _firewalld,
    "firewall-iptables": _iptables,
    "sleep": _fixed(
        ("powercfg", "/change", "standby-timeout-ac", "0"),
        ("powercfg", "/change", "hibernate-timeout-ac", "0"),
    ),
    "long-paths": _fixed(
        ("reg", "add", _FILE_SYSTEM, "/v", "LongPathsEnabled", "/t", "REG_DWORD", "/d", "1", "/f")
    ),
    "execution-policy": _fixed(
        # The cmdlet also fails where the policy is set, but another scope's applies to this process.
        command(
            "try { Set-ExecutionPolicy -ExecutionPolicy RemoteSigned -Scope CurrentUser -Force } "
            "catch { if ((Get-ExecutionPolicy -Scope CurrentUser) -ne 'RemoteSigned') { throw } }"
        )
    ),
    "clock": _fixed(("w32tm", "/resync")),
    "defender": _defender,
    "gpu-mode": _compute_mode,
}
