"""One file that prepares a Windows worker: the setup script with addresses and the master's key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from agent.quoting import powershell
from fleet.worker_script.join import joined

#: The beginning of every such file, by which one that may be replaced is known.
MARK = "# dtui worker script"

#: Started from a file, the script runs as it is. Pasted into a console or piped to Invoke-Expression it has
#: no path, and is started as a file first: with a path it can continue in another PowerShell, its `exit` ends
#: no console, and no profile interferes. In that folder no other user can change an administrator's file.
_BEGINNING = """\
{mark} {version}
# for the master {master}
# and the workers {workers}
# Run it on each worker as administrator, with -WhatIf to see what it would change and -Undo to put all back:
#   powershell -NoProfile -ExecutionPolicy Bypass -File {name}
# or paste the whole text into the Windows PowerShell of an administrator.
& {{
$ErrorActionPreference = 'Stop'
$PSDefaultParameterValues = @{{}}
$setup = {{
"""
_END = """
}
if (-not $PSCommandPath) {
    $path = Join-Path $env:SystemRoot "Temp\\dtui-worker-$(New-Guid).ps1"
    Set-Content -LiteralPath $path -Value $setup.ToString() -Encoding Ascii
    try {
        $powershell = Join-Path $env:SystemRoot 'System32\\WindowsPowerShell\\v1.0\\powershell.exe'
        & $powershell -NoProfile -ExecutionPolicy Bypass -File $path
    } finally {
        Remove-Item -LiteralPath $path
    }
    return
}
$named = @{}
$words = @()
for ($i = 0; $i -lt $args.Count; $i++) {
    $next = $null
    if ($i + 1 -lt $args.Count) {
        $next = $args[$i + 1]
    }
    $value = $next -is [bool] -or "$($args[$i])".EndsWith(':')
    if ($value -and $args[$i] -is [string] -and $args[$i] -match '^-(\\w+):?$') {
        $named[$Matches[1]] = $next
        $i++
    } else {
        $words += , $args[$i]
    }
}
& $setup @named @words
} @args

"""


def worker_script(master: str, workers: Sequence[str], key: str = "", name: str = "worker.ps1") -> str:
    """Return the text of the file, in ASCII with CR LF, for checked addresses and a checked public key."""
    text = source()
    for parameter, value in (
        ("MasterIP", powershell(master)),
        ("ClusterIPs", f"@({', '.join(powershell(worker) for worker in workers)})"),
        ("PublicKey", powershell(key)),
    ):
        text = _with_default(text, parameter, value)
    beginning = _BEGINNING.format(
        mark=MARK, version=version("dtui"), master=master, workers=", ".join(workers), name=name
    )
    return (beginning + text + _END).replace("\n", "\r\n")


def source() -> str:
    """Return the joined setup script: from the wheel, or of the checkout that dtui runs from."""
    built = files(__package__) / "worker_setup.ps1"
    if built.is_file():
        return built.read_text("ascii")
    return joined(Path(__file__).parent.parent.parent / "scripts")


def _with_default(text: str, parameter: str, value: str) -> str:
    """Give a parameter of the script its default value; raises ValueError when there is no such parameter."""
    before, start, rest = text.partition("\nparam(\n")
    block, end, after = rest.partition("\n)\n")
    declared = re.compile(rf"^([^#\n]*\${parameter}\b)(?: = [^\n]*?)?(,?)$", re.MULTILINE)
    block, count = declared.subn(lambda found: f"{found[1]} = {value}{found[2]}", block)
    if count != 1:
        raise ValueError(f"worker_setup.ps1 declares {parameter} {count} times")
    return before + start + block + end + after
