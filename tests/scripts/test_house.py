"""House rules: functions and one entry call, only known commands, each change with its way back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts.gate import nodes, parse, text_of
from tests.scripts.reading import ENTRIES, ROOT, SCRIPTS, all_files, calls, functions, parts, signatures, text

#: Cmdlets of Windows PowerShell 5.1 that the scripts use, with the parameters that they are given.
CMDLETS = {
    "Add-WindowsCapability": "Online Name ErrorAction",
    "ConvertFrom-Json": "ErrorAction",
    "ConvertTo-Json": "Compress Depth",
    "Disable-NetFirewallRule": "Name ErrorAction",
    "Disable-PSRemoting": "Force WarningAction ErrorAction",
    "Enable-NetFirewallRule": "Name ErrorAction",
    "Enable-PSRemoting": "Force SkipNetworkProfileCheck ErrorAction",
    "Find-NetRoute": "RemoteIPAddress ErrorAction",
    "ForEach-Object": "",
    "Get-Acl": "LiteralPath ErrorAction",
    "Get-ChildItem": "Directory File Path LiteralPath Recurse Force ErrorAction",
    "Get-CimInstance": "ClassName Filter ErrorAction",
    "Get-Command": "Name CommandType ErrorAction",
    "Get-Date": "",
    "Get-ExecutionPolicy": "Scope ErrorAction",
    "Get-Item": "Path LiteralPath Force ErrorAction",
    "Get-ItemProperty": "LiteralPath Name ErrorAction",
    "Get-NetFirewallAddressFilter": "PolicyStore ErrorAction",
    "Get-NetFirewallApplicationFilter": "PolicyStore ErrorAction",
    "Get-NetFirewallPortFilter": "PolicyStore ErrorAction",
    "Get-NetFirewallProfile": "PolicyStore ErrorAction",
    "Get-NetFirewallRule": "Name Group PolicyStore ErrorAction",
    "Get-NetIPAddress": "AddressFamily ErrorAction",
    "Get-PSSessionConfiguration": "ErrorAction",
    "Get-Service": "Name ErrorAction",
    "Get-Variable": "Name ValueOnly ErrorAction",
    "Get-WSManInstance": "ResourceURI Enumerate ErrorAction",
    "Get-WindowsCapability": "Online Name ErrorAction",
    "Join-Path": "",
    "New-Item": "ItemType Path Force ErrorAction",
    "New-ItemProperty": "LiteralPath Name Value PropertyType Force ErrorAction",
    "New-NetFirewallRule": "ErrorAction",
    "New-Object": "",
    "New-SelfSignedCertificate": (
        "Subject TextExtension Type CertStoreLocation NotAfter FriendlyName ErrorAction"
    ),
    "New-TimeSpan": "Minutes",
    "New-WSManInstance": "ResourceURI SelectorSet ValueSet ErrorAction",
    "Out-Null": "",
    "Read-Host": "Prompt",
    "Remove-Item": "LiteralPath Path Force DeleteKey ErrorAction",
    "Remove-ItemProperty": "LiteralPath Name ErrorAction",
    "Remove-NetFirewallRule": "Name ErrorAction",
    "Remove-WSManInstance": "ResourceURI SelectorSet ErrorAction",
    "Remove-WindowsCapability": "Online Name ErrorAction",
    "Resolve-Path": "LiteralPath ErrorAction",
    "Select-Object": "Unique First Last",
    "Set-Acl": "LiteralPath AclObject ErrorAction",
    "Set-ExecutionPolicy": "Scope ExecutionPolicy Force ErrorAction",
    "Set-Item": "Path Value Force ErrorAction",
    "Set-PSSessionConfiguration": (
        "Name SecurityDescriptorSddl Force NoServiceRestart WarningAction ErrorAction"
    ),
    "Set-Service": "Name StartupType ErrorAction",
    "Set-StrictMode": "Version",
    "Sort-Object": "Property",
    "Split-Path": "Path Parent",
    "Start-Service": "Name ErrorAction",
    "Stop-Service": "Name Force ErrorAction",
    "Test-Path": "LiteralPath PathType ErrorAction",
    "Test-WSMan": "ErrorAction",
    "Unregister-PSSessionConfiguration": "Name Force NoServiceRestart WarningAction ErrorAction",
    "Where-Object": "",
    "Write-Host": "ForegroundColor",
}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_is_a_cmdlet_or_a_function_within_reach(name: str) -> None:
    files = parts(name)
    reachable = set().union(*(functions(path) for path in files))
    for path in files:
        for command, given in calls(path):
            if command in reachable:
                continue
            assert command in CMDLETS, f"{path.name}: {command}"
            unknown = set(given) - set(CMDLETS[command].split())
            assert not unknown, f"{path.name}: {command} -{unknown}"


def test_every_function_that_is_called_gets_parameters_that_it_has() -> None:
    declared = {name: names for path in all_files() for name, names in signatures(path).items()}
    for path in all_files():
        for command, given in calls(path):
            if command in declared:
                assert set(given) <= declared[command], f"{path.name}: {command} {given}"


@pytest.mark.parametrize("name", ENTRIES)
def test_parts_exist_and_no_part_is_left_over(name: str) -> None:
    assert all(path.is_file() for path in parts(name))
    used = {path for entry in ENTRIES for path in parts(entry)}
    assert set(all_files()) == used


@pytest.mark.parametrize("name", ENTRIES)
def test_strict_and_stopping_at_the_first_error_before_anything_else(name: str) -> None:
    code = text(name).split("\n)\n", 1)[1].strip().splitlines()
    assert code[:2] == ["Set-StrictMode -Version Latest", "$ErrorActionPreference = 'Stop'"]
    if name != "master_deploy":
        # Defaults of the user's profile would reach every command here.
        assert code[2] == "$PSDefaultParameterValues = @{}"


@pytest.mark.parametrize("path", all_files(), ids=lambda path: path.name)
def test_nothing_happens_at_the_top_but_declarations_and_one_entry_call(path: Path) -> None:
    """So that a test in PowerShell can dot-source the file, replace cmdlets, and call single functions."""
    top = nodes(parse(path.read_bytes()))
    root = next(top)
    statements = [
        child
        for part in root.children
        for child in (part.children if part.type == "statement_list" else [part])
    ]
    entry = []
    for statement in statements:
        said = text_of(statement)
        if statement.type in (
            "comment",
            "param_block",
            "attribute_list",
            "function_statement",
            "empty_statement",
        ):
            continue
        declared = r"\[CmdletBinding|Set-StrictMode|\$\w+ = (['@]|\d+$|\$PSBoundParameters$)"
        if re.match(rf"({declared}|trap |\. \(Join-Path \$PSScriptRoot)", said):
            continue
        entry.append(said)
    if path.parent == SCRIPTS:
        assert len(entry) == 1
        assert re.fullmatch(
            r"if \(\$MyInvocation\.InvocationName -ne '\.'\) \{\s+Invoke-\w+\s+\}", entry[0]
        ), entry
    else:
        assert entry == []


def test_each_kind_of_change_can_be_put_back_and_nothing_is_changed_beside_the_journal() -> None:
    sources = {path: path.read_text("ascii") for path in all_files()}
    everything = "".join(sources.values())
    kinds = set(re.findall(r"Invoke-Change -Kind '(\w+)'", everything))
    undone = {
        name.removeprefix("Undo-") for path in sources for name in functions(path) if name[:5] == "Undo-"
    }
    # Journals of older versions have kinds that are not written any more.
    assert kinds == undone - {"PowerMinutes", "DataFolder"}
    journal = (SCRIPTS / "setup" / "journal.ps1").read_text("ascii")
    table = journal[journal.index("$Kinds = @{") : journal.index("}", journal.index("$Kinds = @{"))]
    assert set(re.findall(r"(\w+) = \d", table)) == undone
    assert len(kinds) >= 14
    for path in all_files():
        for node in nodes(parse(path.read_bytes())):
            if node.type == "command" and re.match(r"(Set|Add|New|Remove|Enable|Disable)-\w+", text_of(node)):
                command = text_of(node).split()[0]
                if command in CMDLETS and command not in HARMLESS:
                    assert _within_a_change(node), f"{path.name}: {text_of(node)[:80]}"


#: They make a value, or belong to the journal itself.
HARMLESS = ("New-Object", "New-TimeSpan", "Set-StrictMode")


def _within_a_change(node: object) -> bool:
    """Return whether a command runs by way of Invoke-Change, an Undo function, or one that these two use."""
    while node is not None:
        said = text_of(node)  # type: ignore[arg-type]
        if node.type == "command" and said.startswith("Invoke-Change "):  # type: ignore[attr-defined]
            return True
        if node.type == "function_statement":  # type: ignore[attr-defined]
            name = said.split()[1]
            return name.startswith(("Undo-", "Restore-")) or name in (
                "New-Listener", "New-RuleFromContent", "Protect-KeyFile",
                "Remove-EmptyFolder", "Remove-OwnFiles", "Remove-RestOfGroup",
            )  # fmt: skip
        node = node.parent  # type: ignore[attr-defined]
    return False


#: Cmdlets whose errors never stop a script in Windows PowerShell, or of which a missing thing is the answer.
QUIET = ("Get-Command", "Get-Variable", "Test-WSMan")


def test_every_cmdlet_that_can_fail_stops_however_the_script_was_started() -> None:
    """Cmdlets of script modules do not see the caller's preference, only -ErrorAction."""
    stopping = {name for name, parameters in CMDLETS.items() if "ErrorAction" in parameters.split()}
    for path in all_files():
        if path.stem == "master_deploy":
            continue
        for command, given in calls(path):
            if command in stopping and command not in (*QUIET, "ConvertFrom-Json", "Test-Path"):
                assert "ErrorAction" in given, f"{path.name}: {command}"
        quiet = re.findall(r"([\w-]+)[^|\n(]*-ErrorAction SilentlyContinue", path.read_text("ascii"))
        assert set(quiet) <= set(QUIET), path.name


def test_no_asterisk_reaches_a_script_from_its_parameters() -> None:
    guard = (SCRIPTS / "setup" / "guard.ps1").read_text("ascii")
    assert "[Net.IPAddress]::TryParse" in guard
    for name in ("worker_setup", "master_setup", "master_deploy"):
        assert "Get-AddressList -Given" in text(name)


def test_git_keeps_the_line_ends() -> None:
    assert "*.ps1 text eol=crlf" in (ROOT / ".gitattributes").read_text("utf-8")
