"""Every script passes the gate, and the gate sees what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.gate import faults
from tests.scripts.reading import SCRIPTS, all_files

#: What must be seen, and a place in worker_setup.ps1 and its parts where the mistake is made.
MUTATIONS = {
    "&&": ("journal.ps1", "& $Do | Out-Null", "& $Do && Write-Host done"),
    "||": ("journal.ps1", "& $Do | Out-Null", "& $Do || Write-Host failed"),
    "colon": ("say.ps1", '"  note: $Text"', '"  $Text: note"'),
    "no value": ("guard.ps1", "$parsed = $null", "$parsed ="),
    "no value before a semicolon": ("guard.ps1", "$parsed = $null", "$parsed = ;"),
    "no value in a hashtable": ("remoting.ps1", "Transport = 'HTTPS' }", "Transport = }"),
    "try without catch": ("system.ps1", "} catch {", "}\r\n    if ($true) {"),
    "unclosed brace": ("native.ps1", "return $lines\r\n}", "return $lines"),
    "unclosed string": ("native.ps1", "'Continue'", "'Continue"),
    "unclosed bracket": ("native.ps1", "$Arguments = @()", "$Arguments = @("),
    "ternary": ("guard.ps1", "$parsed = $null", "$parsed = $Address ? 1 : 2"),
    "null coalescing": ("guard.ps1", "$parsed = $null", "$parsed = $Address ?? 1"),
    "asterisk": ("remoting.ps1", '"IP:$Address"', '"*"'),
    "not ASCII": ("say.ps1", "note:", "알림:"),
    "tab": ("say.ps1", "    Write-Host ''", "\tWrite-Host ''"),
    "line feed alone": ("say.ps1", "Write-Host ''\r\n", "Write-Host ''\n"),
}


@pytest.mark.parametrize("path", all_files(), ids=lambda path: path.name)
def test_the_scripts_pass(path: Path) -> None:
    assert faults(path.read_bytes()) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_gate_sees(name: str) -> None:
    file, right, wrong = MUTATIONS[name]
    source = (SCRIPTS / "setup" / file).read_bytes()
    assert right.encode() in source, "the place of the mistake has moved"
    assert faults(source.replace(right.encode(), wrong.encode(), 1))


def test_the_gate_lets_right_things_through() -> None:
    lines = (
        "$x = 1", '"$env:PATH ${x}: $($x): $x."', "try {", "    1", "} finally {", "    2", "}",
        "try {", "    1", "} catch {", "    2", "}", "# a && b, $x = ",
        "$h = @{ A = 1; B = 'a && b' }", "'$x: y'", "@'", "a && b = ", "'@",
    )  # fmt: skip
    assert faults(("\r\n".join(lines) + "\r\n").encode()) == []
