"""The setup scripts on a real PowerShell engine and a simulated Windows: the Pester tests of this folder.

PowerShell 7 is taken from $DTUI_PWSH, from PATH, or from a folder beside the checkout. Without it the tests
are skipped by name; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

#: Ends with the number of failed tests as its status, and names each of them.
_RUN = """
$c = New-PesterConfiguration
$c.Run.Path = $env:DTUI_PESTER_PATH
$c.Run.PassThru = $true
$c.Output.Verbosity = 'Normal'
$c.Output.RenderMode = 'Plaintext'
$c.Filter.Tag = $env:DTUI_PESTER_TAG
$r = Invoke-Pester -Configuration $c
"passed $($r.PassedCount), failed $($r.FailedCount)"
if ($r.PassedCount -eq 0 -or $r.Result -ne 'Passed') { exit 1 }
"""


def powershell() -> str | None:
    """Return the path of PowerShell 7, or None."""
    beside = ROOT.parent / "shared" / "powershell" / "pwsh"
    named = os.environ.get("DTUI_PWSH") or shutil.which("pwsh")
    return named or (str(beside) if beside.is_file() else None)


def pester(path: Path, tag: str) -> None:
    program = powershell()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("PowerShell 7 is missing: put pwsh on PATH, or its path into DTUI_PWSH")
        pytest.skip("PowerShell 7 is missing, so the setup scripts were not run")
    environment = {
        **os.environ,
        "DTUI_PESTER_PATH": str(path),
        "DTUI_PESTER_TAG": tag,
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
    }
    ended = subprocess.run(
        [program, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", _RUN],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("name", ["Setup"])
def test_whole_scripts(name: str) -> None:
    pester(HERE / f"{name}.Tests.ps1", "ci")


@pytest.mark.full
@pytest.mark.parametrize("name", ["Setup", "Faults"])
def test_whole_scripts_in_full(name: str) -> None:
    pester(HERE / f"{name}.Tests.ps1", "full")
