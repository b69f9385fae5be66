"""Every fix as the command that is shown, made from what a node reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fleet.preflight.fixes import FixContext, command_text, fixable, fixes_for
from tests.preflight.recordings import inventory, observations
from tui.i18n import Texts

OTHERS = {"master": "192.168.1.100", "gpu2": "192.168.1.102"}

#: How each command of PowerShell begins, as it is pasted into PowerShell.
POWERSHELL = (
    "powershell -NoProfile -NonInteractive -Command '$ErrorActionPreference = ''Stop''; "
    "$ProgressPreference = ''SilentlyContinue''; "
)


def context(others: Mapping[str, str] = OTHERS, **conditions: Any) -> FixContext:
    seen = observations({})["gpu1"]
    return FixContext(inventory().node("gpu1"), seen["facts"], {**seen["conditions"], **conditions}, others)


@pytest.mark.parametrize(
    ("check", "shown"),
    [
        (
            "29500",
            POWERSHELL + "$rule = $null; try { $rule = Get-NetFirewallRule -Name dtui-ranks } "
            "catch { if ($_.CategoryInfo.Category -ne ''ObjectNotFound'') { throw } }; if ($rule) { "
            "$from = @($rule | Get-NetFirewallAddressFilter | ForEach-Object { $_.RemoteAddress } "
            "| Where-Object { $_ -ne ''Any'' }); Set-NetFirewallRule -Name dtui-ranks -Enabled True "
            "-RemoteAddress @($from + @(''192.168.1.100'', ''192.168.1.102'') | Select-Object -Unique) "
            "} else { New-NetFirewallRule -Name dtui-ranks -DisplayName ''dtui: ranks among each other'' "
            "-Group dtui -Direction Inbound -Action Allow -Profile Any -Protocol TCP "
            "-RemoteAddress @(''192.168.1.100'', ''192.168.1.102'') }'",
        ),
        ("sleep", "powercfg /change standby-timeout-ac 0\npowercfg /change hibernate-timeout-ac 0"),
        (
            "long-paths",
            r"reg add HKLM\SYSTEM\CurrentControlSet\Control\FileSystem "
            "/v LongPathsEnabled /t REG_DWORD /d 1 /f",
        ),
        (
            "execution-policy",
            POWERSHELL
            + "try { Set-ExecutionPolicy -ExecutionPolicy RemoteSigned -Scope CurrentUser -Force } "
            "catch { if ((Get-ExecutionPolicy -Scope CurrentUser) -ne ''RemoteSigned'') { throw } }'",
        ),
        (
            "defender",
            POWERSHELL + "Add-MpPreference -ExclusionPath ''C:\\Users\\kim\\dtui\\floorplan'''",
        ),
        ("clock", "w32tm /resync"),
    ],
)
def test_on_windows(check: str, shown: str) -> None:
    (fix,) = fixes_for(context(), [check])
    assert fix.shown == shown
    assert check in fix.checks


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("ufw", "ufw allow proto tcp from 192.168.1.100"),
        ("iptables", "iptables -I INPUT -p tcp -s 192.168.1.100,192.168.1.102 -j ACCEPT"),
        ("firewalld", "firewall-cmd --permanent"),
    ],
)
def test_each_firewall_allows_only_the_cluster(kind: str, first: str) -> None:
    linux = context(firewall=kind)
    linux.facts["os"]["system"] = "Linux"
    (fix,) = fixes_for(linux, ["ephemeral", "29500", "29501"])
    assert fix.shown.startswith(first)
    for address in OTHERS.values():
        assert address in fix.shown
    assert "0.0.0.0" not in fix.shown
    assert "any" not in [word for line in fix.shown.splitlines() for word in line.split()]


def test_without_a_known_firewall_or_peers_nothing_is_proposed() -> None:
    assert fixes_for(context(firewall=None), ["29500"]) == []
    assert fixes_for(context(others={}), ["29500"]) == []


def test_nodes_whose_address_is_a_host_name_are_named_as_left_out() -> None:
    (fix,) = fixes_for(context({**OTHERS, "gpu3": "gpu3.lan", "gpu4": "box"}, firewall="ufw"), ["29500"])
    assert fix.values == tuple(OTHERS.values())
    assert fix.what == (
        "allow 192.168.1.100, 192.168.1.102 on all TCP ports, but not gpu3, gpu4: "
        "a firewall rule needs IP addresses"
    )
    korean = Texts("ko").translate(fix.what)
    assert "gpu3, gpu4" in korean
    assert "allow" not in korean


def test_leftovers_are_ended_by_run_and_pid() -> None:
    orphans = [{"run": "run-1", "rank": 0, "pid": 4711}, {"run": "run-1", "rank": 1, "pid": 4712}]
    (fix,) = fixes_for(context(orphans=orphans), ["leftovers"])
    assert fix.shown == "end process 4711 of run run-1\nend process 4712 of run run-1"


def test_the_adapter_is_written_into_the_inventory_only_when_it_is_not_known() -> None:
    assert fixes_for(context(), ["adapter"]) == []
    unknown = context()
    for adapter in unknown.facts["adapters"]:
        adapter["routes_to_master"] = None
    (fix,) = fixes_for(unknown, ["adapter"])
    assert fix.interface == "이더넷"
    assert fix.shown == "in the inventory, for gpu1: `interface: 이더넷`"


def test_a_name_with_a_quote_stays_one_word_of_powershell() -> None:
    (fix,) = fixes_for(context(project="C:\\Users\\o'neill\\p"), ["defender"])
    assert fix.commands[0][-1].endswith("; Add-MpPreference -ExclusionPath 'C:\\Users\\o''neill\\p'")


def test_what_has_no_fix_is_not_offered() -> None:
    assert not fixable("gpu")
    assert fixes_for(context(), ["gpu", "ram"]) == []
    assert command_text(["reg", "a b", ""], windows=True) == 'reg "a b" ""'
    assert command_text(["firewall-cmd", '--add=rule family="ipv4"'], windows=False) == (
        "firewall-cmd '--add=rule family=\"ipv4\"'"
    )
