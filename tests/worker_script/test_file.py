"""The file of `dtui worker-script`, read and run by a real PowerShell."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agent.quoting import powershell
from fleet.worker_script import script, worker_script
from fleet.worker_script.join import joined
from tests.scripts.gate import faults
from tests.scripts.reading import SCRIPTS, functions, parts
from tests.support.needs import needed_pwsh

MASTER, WORKERS = "192.168.1.100", ("192.168.1.101", "2001:db8::2")
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq2 kim\'s "key" $(Write-Output PWNED) `a; #>'
SECONDS = 120

#: What PowerShell's own parser finds in a file: its errors, defaults of parameters, functions, dot-sourcing.
PARSED = """\
using namespace System.Management.Automation.Language
$errors = $null
$tree = [Parser]::ParseFile($env:FILE, [ref]$null, [ref]$errors)
$block = $tree.Find({ param($one) $one -is [ParamBlockAst] }, $true)
$defaults = [ordered]@{}
foreach ($one in $block.Parameters) {
    $name = $one.Name.VariablePath.UserPath
    if ($name -in 'MasterIP', 'ClusterIPs', 'PublicKey') {
        $defaults[$name] = $one.DefaultValue.SafeGetValue()
    }
    if ("$($one.Attributes)" -match 'Mandatory') { $defaults[$name] = 'asked for' }
}
$found = $tree.FindAll({ param($one) $one -is [FunctionDefinitionAst] }, $true)
$sourced = $tree.FindAll({ param($one)
    $one -is [CommandAst] -and $one.InvocationOperator -eq 'Dot' }, $true)
[ordered]@{
    errors = @($errors | ForEach-Object { "$_" })
    defaults = $defaults
    functions = @($found | ForEach-Object { $_.Name })
    sourced = @($sourced).Count
} | ConvertTo-Json -Depth 4
"""
#: In place of the setup: says what it was given, and where it runs.
SPEAKING = """\
[CmdletBinding(SupportsShouldProcess = $true, PositionalBinding = $false)]
param(
    [string]$MasterIP = '',
    [string[]]$ClusterIPs = @(),
    [string]$PublicKey = '',
    [switch]$Undo
)
Set-StrictMode -Version Latest
$Text = @'

as it is
'@
function Get-Told {
    return [ordered]@{ master = $MasterIP; cluster = @($ClusterIPs); key = $PublicKey; undo = [bool]$Undo
        whatif = [bool]$WhatIfPreference; file = ($PSCommandPath -ne ''); text = $Text }
}
Write-Host (ConvertTo-Json -Compress (Get-Told))
exit 7
"""


@pytest.fixture(scope="module")
def pwsh() -> str:
    return needed_pwsh()


def run(pwsh: str, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), **environment}
    return subprocess.run(
        [pwsh, "-NoLogo", "-NoProfile", *words],
        input=stdin,
        env=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "worker.ps1"
    file.write_bytes(worker_script(MASTER, WORKERS, KEY).encode("ascii"))
    return file


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(script, "source", lambda: SPEAKING)
    file = tmp_path / "worker.ps1"
    file.write_bytes(worker_script(MASTER, WORKERS, KEY).encode("ascii"))
    return file


def told(output: str) -> dict[str, object]:
    (line,) = (line[line.index("{") :] for line in output.splitlines() if '{"master"' in line)
    found: dict[str, object] = json.loads(line)
    return found


def test_powershell_reads_the_whole_setup_and_the_values_as_they_are(pwsh: str, written: Path) -> None:
    found = json.loads(run(pwsh, "-Command", PARSED, FILE=str(written)).stdout)
    assert found["errors"] == []
    assert found["defaults"] == {"MasterIP": MASTER, "ClusterIPs": list(WORKERS), "PublicKey": KEY}
    sources = [functions(path) for path in parts("worker_setup")]
    assert sorted(found["functions"]) == sorted(name for names in sources for name in names)
    assert found["sourced"] == 0


def test_the_file_passes_the_gate_of_the_scripts_but_for_what_is_filled_in(written: Path) -> None:
    """ASCII, CR LF, and no syntax that Windows PowerShell 5.1 lacks."""
    assert faults(worker_script(MASTER, WORKERS).encode("ascii")) == []
    assert written.read_bytes().count(b"\n") == written.read_bytes().count(b"\r\n")


def test_no_blank_line_ends_a_paste_early(written: Path) -> None:
    lines = written.read_text("ascii").split("\n")
    assert [at for at, line in enumerate(lines) if not line.strip()] == [len(lines) - 2, len(lines) - 1]


def test_the_real_setup_starts_without_the_files_beside_it(pwsh: str, written: Path) -> None:
    """On Linux it refuses to run: by its own words, and not since a part of it is missing."""
    done = run(pwsh, "-File", str(written), ProgramData=str(written.parent))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "is not recognized" not in said
    assert "PWNED" not in said.replace("Write-Output PWNED", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["-Undo"], {"undo": True}),
        (["-Undo:$false", "-WhatIf"], {"undo": False, "whatif": True}),
        (
            ["-MasterIP", "10.0.0.1", "-ClusterIPs", "10.0.0.2"],
            {"master": "10.0.0.1", "cluster": ["10.0.0.2"]},
        ),
    ],
)
def test_started_from_the_file_it_takes_the_options_of_the_setup(
    pwsh: str, speaking: Path, words: list[str], expected: dict[str, object]
) -> None:
    done = run(pwsh, "-File", str(speaking), *words)
    usual = {"master": MASTER, "cluster": list(WORKERS), "key": KEY, "undo": False, "whatif": False}
    assert told(done.stdout) == {**usual, "file": True, "text": "\r\nas it is", **expected}
    assert done.returncode == 7


def test_called_at_a_prompt_it_takes_lists_and_values_of_switches(pwsh: str, speaking: Path) -> None:
    done = run(pwsh, "-Command", f"& '{speaking}' -ClusterIPs 10.0.0.2, 10.0.0.3 -Undo:$false -WhatIf:$true")
    assert (told(done.stdout)["cluster"], told(done.stdout)["undo"]) == (["10.0.0.2", "10.0.0.3"], False)
    assert told(done.stdout)["whatif"]


@pytest.fixture
def windows(pwsh: str, tmp_path: Path) -> Path:
    """A folder as %SystemRoot%, with a powershell.exe."""
    (tmp_path / "Temp").mkdir()
    program = tmp_path / "System32" / "WindowsPowerShell" / "v1.0" / "powershell.exe"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "started $*"\nexec "{pwsh}" "$@"\n', "ascii")
    program.chmod(0o700)
    return tmp_path


def test_pasted_it_runs_as_a_file_in_windows_powershell(pwsh: str, speaking: Path, windows: Path) -> None:
    """Read from a console line by line, where a blank line ends the input."""
    pasted = f'{speaking.read_text("ascii")}Write-Host "the console is open: $LASTEXITCODE"\n'
    done = run(pwsh, "-Command", "-", stdin=pasted, SystemRoot=str(windows))
    assert told(done.stdout)["file"]
    assert told(done.stdout)["key"] == KEY
    assert "started -NoProfile -ExecutionPolicy Bypass -File " in done.stdout
    assert "the console is open: 7" in done.stdout
    assert list((windows / "Temp").iterdir()) == []


def test_a_profile_changes_nothing(pwsh: str, speaking: Path, windows: Path) -> None:
    profile = (
        "Set-StrictMode -Version Latest; $ErrorActionPreference = 'SilentlyContinue'; "
        "$PSDefaultParameterValues['*:WhatIf'] = $true; "
        f"Get-Content -Raw -LiteralPath {powershell(str(speaking))} | Invoke-Expression"
    )
    done = run(pwsh, "-Command", profile, SystemRoot=str(windows))
    assert told(done.stdout)["master"] == MASTER
    assert list((windows / "Temp").iterdir()) == []


def test_sources_that_cannot_be_joined_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "worker_setup.ps1").write_text("param(\n)\n", "ascii")
    with pytest.raises(ValueError, match="cannot be joined"):
        joined(tmp_path)
    known = (SCRIPTS / "worker_setup.ps1").read_text("ascii")
    (tmp_path / "worker_setup.ps1").write_text(known + "\n$data = Join-Path $PSScriptRoot 'x'\n", "ascii")
    (tmp_path / "setup").symlink_to(SCRIPTS / "setup")
    with pytest.raises(ValueError, match="PSScriptRoot"):
        joined(tmp_path)
