"""Nothing that a node reports or a file says becomes code: in PowerShell, in a firewall, on another node."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.detach import cim_script, task_definition
from agent.powershell import command, startable
from agent.quoting import Unsafe, address, command_line, index, powershell, windows_folder
from agent.repairs import commands
from agent.wire.operations import FIX
from fleet.accelerate_config import accelerate_config
from fleet.errors import OperationFailed
from fleet.inventory import Node
from fleet.plan import plan_run
from fleet.preflight.fixes import FixContext, fixes_for
from fleet.preflight.pairs import peer_address, source_of
from tests.plan.fleets import facts, inventory, worker
from tests.support.agents import local_agent
from tests.support.needs import needed_pwsh

#: Every quote of PowerShell, and what expands, ends or continues something in it.
SIGNS = "'\u2018\u2019\u201a\u201b\"\u201c\u201d\u201e`$();|&{}@#%\n\\ a"
HOSTILE = [
    "C:\\Kim\u2019s project",
    "C:\\a\u2019; Write-Output PWNED; \u2018",
    "C:\\a'; Write-Output PWNED; '",
    "C:\\a\u201b; Write-Output PWNED; \u201a",
    "C:\\a\u201d; Write-Output PWNED; \u201c",
    "C:\\$(Write-Output PWNED)",
    "C:\\`'; Write-Output PWNED #",
    "C:\\a\n'; Write-Output PWNED\n'",
    "C:\\" + SIGNS,
]
NO_ADDRESSES = [
    "1.2.3.4'; Write-Host PWNED; '",
    "1.2.3.4\u2019; Write-Host PWNED; \u2018",
    "1.2.3.4, 0.0.0.0/0",
    "0.0.0.0/0",
    "Any",
    '1.2.3.4" accept\nrule family="ipv4',
    "fe80::1%eth0'; calc",
    "-j ACCEPT",
    "gpu1",
    "",
    " 1.2.3.4",
    "1.2.3.4\n",
    "01.2.3.4",
    "\u0661.2.3.4",
    None,
    16909060,
    b"\x01\x02\x03\x04",
    ["1.2.3.4"],
    {"address": "1.2.3.4"},
    True,
]


def context_of(node: Node, facts: Any, conditions: Any, others: Any) -> FixContext:
    return FixContext(node, {"os": {"system": "Linux"}, **facts}, conditions, others)


def literals(script: str) -> list[str]:
    """Return the single-quoted texts of a script, as PowerShell's tokenizer reads them."""
    quotes, found, at = "'\u2018\u2019\u201a\u201b", [], 0
    while at < len(script):
        at += 1
        if script[at - 1] not in quotes:
            continue
        text = ""
        while script[at] not in quotes or script[at + 1 : at + 2] in [*quotes]:
            at += script[at] in quotes
            text += script[at]
            at += 1
        at += 1
        found.append(text)
    return found


@given(st.text(alphabet=SIGNS))
def test_any_text_is_one_literal_of_powershell(text: str) -> None:
    assert literals(powershell(text) + " ") == [text]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_a_command_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(Unsafe):
        powershell(text)


@pytest.fixture(scope="session")
def pwsh() -> str:
    # The tokenizer's rules are tested without it, too.
    return needed_pwsh()


def run_powershell(pwsh: str, script: str) -> str:
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    said = subprocess.run(
        [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"PWNED" not in said.stderr
    return said.stdout.decode("utf-8")


def test_real_powershell_reads_every_hostile_name_as_itself(pwsh: str) -> None:
    # JSON in ASCII, so that no code page is involved.
    lines = [
        f"ConvertTo-Json -Compress -EscapeHandling EscapeNonAscii {powershell(text)}" for text in HOSTILE
    ]
    told = run_powershell(pwsh, "\n".join(lines)).splitlines()
    assert [json.loads(line) for line in told] == HOSTILE


#: Words that people type, and those that a shell reads in its own way.
TYPED = [
    "plain", "", "a b", "C:\\Program Files\\x", "C:\\dir\\", "C:\\my dir\\", "--lr=3e-4", "-c.d", "--a.b",
    "x&y", "a,b", "@file", "#1", "$HOME", "`n", 'say "so"', "it's", "(1)", "{2}", "%PATH%", "~", "\u2019;",
    "한글 폴더", "a;b", "*",
]  # fmt: skip


def test_a_command_on_windows_is_shown_as_powershell_reads_it(pwsh: str) -> None:
    lines = [
        "$told = @($null); function program { $script:told = $args }",
        command_line(["program", *TYPED], True),
        "ConvertTo-Json -Compress -EscapeHandling EscapeNonAscii @($told | ForEach-Object { [string]$_ })",
        command_line(["C:\\my tools\\no.exe"], True).replace("& ", "Write-Output "),
    ]
    said = run_powershell(pwsh, "\n".join(lines)).splitlines()
    assert json.loads(said[0]) == TYPED
    assert said[1] == "C:\\my tools\\no.exe"
    assert command_line(["C:\\my tools\\no.exe", "x"], True) == '& "C:\\my tools\\no.exe" x'


@given(st.lists(st.text(alphabet=SIGNS), min_size=1))
def test_a_command_elsewhere_is_shown_as_a_posix_shell_reads_it(words: list[str]) -> None:
    assert shlex.split(command_line(words, False)) == words


#: Functions in place of the cmdlets of Windows: they say what they were given.
CMDLETS = """
function Say($value) { ConvertTo-Json -Compress -EscapeHandling EscapeNonAscii -Depth 3 $value }
function New-CimInstance { 'startup' }
function Invoke-CimMethod { param($ClassName, $MethodName, $Arguments)
    Say @($Arguments.CommandLine, $Arguments.CurrentDirectory) | Out-Host
    [pscustomobject]@{ ReturnValue = 0; ProcessId = 7 } }
function Add-MpPreference { param($ExclusionPath) Say @($ExclusionPath, '') | Out-Host }
function Get-NetFirewallRule { param($Name) }
function Get-NetFirewallAddressFilter { }
function Remove-NetFirewallRule { param($Name) }
function New-NetFirewallRule { param($Name, $DisplayName, $Group, $Direction, $Action, $Profile, $Protocol,
    $RemoteAddress) Say $RemoteAddress | Out-Host }
"""


def test_the_whole_scripts_do_in_real_powershell_only_what_they_are_for(pwsh: str) -> None:
    for name in HOSTILE:
        argv = [name + "\\python.exe", "-I", "supervise", name]
        said = run_powershell(pwsh, CMDLETS + cim_script(argv, name)).splitlines()
        assert json.loads(said[0]) == [subprocess.list2cmdline(argv), name]
        assert said[1:] == ["started 7"]
    folder = "C:\\Kim\u2019s; calc; \u2018 $(calc) `a"
    (defender,) = commands("defender", [folder])
    assert json.loads(run_powershell(pwsh, CMDLETS + defender[-1])) == [folder, ""]
    (rule,) = commands("firewall-windows", ["10.0.0.1", "2001:db8::1"])
    assert json.loads(run_powershell(pwsh, CMDLETS + rule[-1])) == ["10.0.0.1", "2001:db8::1"]


#: A rule that is there, a cmdlet that fails, and a policy of another scope.
RULE = """
function Get-NetFirewallRule { param($Name) 'rule' }
function Get-NetFirewallAddressFilter { param([Parameter(ValueFromPipeline)]$Rule)
    process { [pscustomobject]@{ RemoteAddress = @('10.0.0.9', 'Any', '10.0.0.1') } } }
function Set-NetFirewallRule { param($Name, $Enabled, $RemoteAddress) Say $RemoteAddress | Out-Host }
function New-NetFirewallRule { throw 'made a second one' }
"""
FAILING = "function Get-NetFirewallRule { param($Name) Write-Error 'told' -Category %s -ErrorAction Stop }\n"
POLICY = """
function Set-ExecutionPolicy { param($ExecutionPolicy, $Scope, [switch]$Force) Write-Error 'overridden' }
function Get-ExecutionPolicy { param($Scope) 'POLICY' }
"""


def test_the_rule_that_is_there_is_changed_and_not_removed(pwsh: str) -> None:
    (rule,) = commands("firewall-windows", ["10.0.0.1", "2001:db8::1"])
    changed = json.loads(run_powershell(pwsh, CMDLETS + RULE + rule[-1]))
    assert changed == ["10.0.0.9", "10.0.0.1", "2001:db8::1"]
    made = json.loads(run_powershell(pwsh, CMDLETS + FAILING % "ObjectNotFound" + rule[-1]))
    assert made == ["10.0.0.1", "2001:db8::1"]
    with pytest.raises(subprocess.CalledProcessError):
        run_powershell(pwsh, CMDLETS + FAILING % "PermissionDenied" + rule[-1])


def test_a_policy_that_another_scope_overrides_is_set_nevertheless(pwsh: str) -> None:
    (policy,) = commands("execution-policy")
    assert run_powershell(pwsh, POLICY.replace("POLICY", "RemoteSigned") + policy[-1]) == ""
    with pytest.raises(subprocess.CalledProcessError):
        run_powershell(pwsh, POLICY.replace("POLICY", "Undefined") + policy[-1])


def test_powershell_is_started_by_its_full_path_without_the_modules_of_another() -> None:
    given = {"SystemRoot": r"D:\Windows", "PSModulePath": r"C:\Program Files\PowerShell\7\Modules", "A": "b"}
    words, environment = startable(command("exit 3"), given, windows=True)
    assert words[0] == r"D:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
    assert words[-1].endswith("; exit 3")
    assert environment == {"SystemRoot": r"D:\Windows", "A": "b"}
    on_32_bits, _ = startable(command(""), {**given, "PROCESSOR_ARCHITEW6432": "AMD64"}, windows=True)
    assert on_32_bits[0] == r"D:\Windows\Sysnative\WindowsPowerShell\v1.0\powershell.exe"
    assert startable(["ufw", "allow"], given, windows=True) == (("ufw", "allow"), given)


@pytest.mark.parametrize("value", NO_ADDRESSES)
@pytest.mark.parametrize("kind", ["windows", "ufw", "firewalld", "iptables"])
def test_what_is_no_address_gets_into_no_firewall_command(kind: str, value: Any) -> None:
    with pytest.raises(Unsafe):
        address(value)
    with pytest.raises(Unsafe):
        commands(f"firewall-{kind}", ["192.168.1.1", value])
    context = context_of(
        Node(name="gpu1", address="10.0.0.1", project="p"),
        {},
        {"firewall": kind},
        {"a": "10.0.0.2", "b": value},
    )
    (fix,) = fixes_for(context, ["ephemeral"])
    assert fix.values == ("10.0.0.2",)
    assert "PWNED" not in fix.shown
    assert fixes_for(context_of(context.node, {}, {"firewall": kind}, {"b": value}), ["ephemeral"]) == []


@pytest.mark.parametrize("value", NO_ADDRESSES)
def test_a_reported_address_that_is_none_is_dropped(value: Any) -> None:
    assert source_of({"route": {"source": value}}) is None
    assert (
        peer_address(Node(name="gpu1", address="10.0.0.1", project="p"), value, "", first=False) == "10.0.0.1"
    )


@pytest.mark.parametrize(
    "folder",
    [
        "C:\\", "C:", "\\\\server\\share", "relative\\folder", "/home/kim", "C:\\a*", "C:\\a?",
        'C:\\a"b', "C:\\a\nb", "C:\\a\\..", "C:\\..\\a", "C:\\. .", "C:\\a\\ \\b", "C:\\a\\...",
        "C:\\a|b", "", None, 7, "C:\\a\0b",
    ],
)  # fmt: skip
def test_only_a_folder_of_windows_is_left_out_by_defender(folder: Any) -> None:
    with pytest.raises(Unsafe):
        windows_folder(folder)
    facts = {"os": {"system": "Windows"}}
    assert (
        fixes_for(context_of(Node(name="gpu1", project="p"), facts, {"project": folder}, ()), ["defender"])
        == []
    )


@pytest.mark.parametrize("value", ["", "0 -c 3", "-1", "5000", 0, True, None, "\u0661"])
def test_only_a_number_names_a_gpu(value: Any) -> None:
    with pytest.raises(Unsafe):
        index(value)
    with pytest.raises(Unsafe):
        commands("gpu-mode", ["0", value])


@pytest.mark.parametrize(
    ("repair", "values", "step"),
    [
        ("sh", ["-c", "touch PWNED"], 0),
        ("firewall-ufw", ["1.2.3.4'; touch PWNED"], 0),
        ("firewall-ufw", [], 0),
        ("sleep", ["touch PWNED"], 0),
        ("clock", [], 5),
    ],
)
async def test_the_node_runs_no_other_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repair: str, values: list[Any], step: int
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with local_agent() as link:
        with pytest.raises(OperationFailed) as refused:
            await link.call(FIX, {"repair": repair, "values": values, "step": step})
    assert refused.value.code == "refused"


def test_a_scheduled_task_holds_hostile_names_as_text() -> None:
    import xml.etree.ElementTree as Tree

    name = "C:\\a</Command><Command>calc</Command>&amp;\u2019'\"<!--"
    tree = Tree.fromstring(task_definition([name, name], name).replace(' encoding="UTF-16"', ""))
    texts = [element.text for element in tree.iter() if element.tag.rpartition("}")[2] == "Command"]
    assert texts == [name]


def test_an_adapters_name_cannot_leave_its_comment_in_yaml() -> None:
    name = "eth0\nnum_machines: 1\x85a: b\u2028c: d"
    told = {
        "master": facts("192.168.1.100"),
        "gpu1": facts("192.168.1.101", adapter=name, gpus=1),
    }
    fleet = inventory(worker("gpu1", "192.168.1.101", interface=name))
    plan = plan_run(fleet, told, run_id="r1", nodes=fleet.workers)
    text = accelerate_config(plan, "gpu1")
    assert plan.part("gpu1").interface == name
    assert yaml.safe_load(text)["num_machines"] == 1
    assert not {"a", "c"} & yaml.safe_load(text).keys()
    assert all(line.startswith("#") for line in text.splitlines()[:3])
