"""Lines of the documents work when they are pasted into Windows PowerShell 5.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import DOCUMENTS, blocks, inline
from tests.scripts.gate import faults
from tests.scripts.reading import ENTRIES, parameters, text

#: What only a POSIX shell has: its lines are for Linux.
_POSIX = re.compile(r"<<'|eval |^\. |\bsudo ", re.MULTILINE)


def lines(path: Path) -> Iterator[str]:
    """Yield the lines that a Windows user may paste."""
    for block in blocks(path):
        if block.language in ("sh", "powershell") and not _POSIX.search(block.text):
            yield from block.text.splitlines()
    yield from (code for code in inline(path) if re.match(r"(dtui|pip|python|powershell|uv|pipx) ", code))


def powershell_lines() -> list[str]:
    found = [line for path in DOCUMENTS for line in lines(path) if line.startswith("powershell ")]
    helps = "\n".join(text(name) for name in ("worker_setup", "master_setup", "master_deploy"))
    return found + re.findall(r"^ +(powershell .*)$", helps, re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_line_has_an_operator_that_it_lacks(path: Path) -> None:
    for line in lines(path):
        assert "&&" not in line, line
        assert "||" not in line, line
        # Brackets of a set of nodes and a reader's dots are words.
        if line.startswith("powershell "):
            found = faults(f"{line}\r\n".encode())
            assert [fault for fault in found if fault.what != "an asterisk"] == [], line


def test_each_start_of_a_script_ignores_profile_and_policy_and_quotes_its_lists() -> None:
    found = powershell_lines()
    assert len(found) >= 10
    for line in found:
        assert line.startswith("powershell -NoProfile -ExecutionPolicy Bypass -File "), line
        bare = re.sub(r'"[^"]*"', '""', line)
        assert not re.search(r"[,@()]", bare), f"-File splits what is not in quotes: {line}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_option_of_a_script_is_one(path: Path) -> None:
    for line in lines(path):
        for script, rest in re.findall(r"(\w+)\.ps1(.*)", line):
            known = "worker_setup" if script == "dtui_worker" else script
            if known in ENTRIES and line.startswith("powershell "):
                assert set(re.findall(r" -([A-Z]\w+)", rest)) <= parameters(known) | {"WhatIf"}, line


def test_the_way_of_the_readme_lets_two_workers_reach_each_other_and_the_master() -> None:
    for name in ("README.md", "README.ko.md", "guide.md", "guide.ko.md"):
        (path,) = (one for one in DOCUMENTS if one.name == name)
        given = list(lines(path))
        workers = "192.168.1.101,192.168.1.102"
        assert any(
            line.startswith("dtui worker-script ") and f"--workers {workers}" in line for line in given
        )
        assert any("master_setup.ps1" in line and f'-WorkerIPs "{workers}"' in line for line in given)
