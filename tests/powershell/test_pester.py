"""The setup scripts on a real PowerShell engine and a simulated Windows: the Pester tests of this folder.

Without PowerShell 7 they are skipped by name; in CI they fail (tests.support.needs).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.needs import needed_pwsh

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


def pester(path: Path, tag: str) -> None:
    environment = {
        **os.environ,
        "DTUI_PESTER_PATH": str(path),
        "DTUI_PESTER_TAG": tag,
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
    }
    ended = subprocess.run(
        [needed_pwsh(), "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", _RUN],
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
