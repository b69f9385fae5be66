"""Completion knows the commands and options that there are."""

from __future__ import annotations

import subprocess

import pytest

from tests.scripts.gate import faults
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
