"""Completion knows the commands and options that there are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agent.quoting import powershell
from tests.scripts.gate import faults
from tests.support.needs import needed_pwsh
from tui.cli.completion import SHELLS, script
from tui.cli.main import COMMANDS, build_parser
from tui.i18n import Texts


def in_bash(*words: str) -> list[str]:
    """Return what bash offers for the last word."""
    typed = " ".join(f"'{word}'" for word in ("dtui", *words))
    ask = f"COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _dtui; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-uc", f"{script(build_parser(), 'bash', Texts())}\n{ask}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_offers_commands_options_and_choices() -> None:
    assert in_bash("pre") == ["preflight"]
    assert set(COMMANDS) <= set(in_bash(""))
    assert "--skip-deploy" in in_bash("up", "--")
    assert in_bash("up", "--skip") == ["--skip-deploy"]
    assert in_bash("up", "--method", "") == ["ranks", "accelerate"]
    assert in_bash("--lang", "k") == ["ko"]
    assert in_bash("up", "--port", "") == []
    assert in_bash("completion", "po") == ["powershell"]
    assert in_bash("--inventory", "demo", "up", "--meth") == ["--method"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_every_script(shell: str) -> None:
    text = script(build_parser(), shell, Texts())
    for command in COMMANDS:
        assert command in text
    for option in ("skip-deploy", "workers-file", "read-only", "prometheus"):
        assert option in text


def test_powershell_reads_its_script() -> None:
    text = script(build_parser(), "powershell", Texts()).replace("\n", "\r\n")
    assert [fault for fault in faults(text.encode()) if fault.what != "an asterisk"] == []


def in_powershell(
    folder: Path, lines: list[str], texts: Texts, profile: str = ""
) -> dict[str, dict[str, str]]:
    """Return what PowerShell offers at the end of each line, with the tips."""
    file = folder / "completion.ps1"
    # With a mark, as PowerShell on Windows needs for signs that are not ASCII; the script itself has none.
    file.write_text(script(build_parser(texts), "powershell", texts), "ascii")
    ask = "; ".join(
        f"$said = (TabExpansion2 {powershell(line)} {len(line)}).CompletionMatches; "
        "$all += , @($said | ForEach-Object { , @($_.CompletionText, $_.ToolTip) })"
        for line in lines
    )
    given = (
        f"{profile}; . {powershell(str(file))}; $all = @(); {ask}; "
        "ConvertTo-Json -Compress -Depth 5 -EscapeHandling EscapeNonAscii $all"
    )
    done = subprocess.run(
        [needed_pwsh(), "-NoLogo", "-NoProfile", "-Command", given],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return {line: dict(found) for line, found in zip(lines, json.loads(done.stdout), strict=True)}


def test_powershell_offers_what_bash_offers_and_explains_it(tmp_path: Path) -> None:
    (tmp_path / "data set").mkdir()
    (tmp_path / "data.yaml").touch()
    expected = {
        "dtui pre": ["preflight"],
        "dtui PRE": ["preflight"],
        "dtui.exe completion po": ["powershell"],
        "dtui up --skip": ["--skip-deploy"],
        "dtui up --method ": ["ranks", "accelerate"],
        'dtui up --method "r': ['"ranks"'],
        "dtui up --method 'R": ["'ranks'"],
        "dtui up --method=r": ["--method=ranks"],
        "dtui --inventory demo up --meth": ["--method"],
        "dtui up --method ranks --skip-dep": ["--skip-deploy"],
        "dtui up --port x": [],
        "dtui up --port=2": [],
        "dtui --lang k": ["ko"],
        "dtui up --config d": ["./data set", "./data.yaml"],
        "dtui up --inventory=data.": ["--inventory=./data.yaml"],
        "dtui up --project d": ["./data set"],
    }
    profile = "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'"
    offered = in_powershell(tmp_path, list(expected), Texts("ko"), profile)
    plain = {line: [text.replace("& ", "") for text in found] for line, found in offered.items()}
    quoted = {"./data set": "'./data set'"}
    for line, words in expected.items():
        assert plain[line] == [quoted.get(word, word) for word in words], line
    assert "점검" in offered["dtui pre"]["preflight"]
    assert offered["dtui up --skip"]["--skip-deploy"] != "--skip-deploy"
