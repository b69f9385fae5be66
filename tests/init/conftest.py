"""A project folder and a home of its own, in which ``dtui`` is run."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE = 180.0


@dataclass
class Desk:
    """``folder`` is the project, ``home`` has the person's ``.ssh``."""

    folder: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        return {**kept, "HOME": str(self.home), "PYTHONUTF8": "1"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tui", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE,
        )

    def talk(self, answers: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it with a terminal at which somebody types ``answers``."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, answers.encode())
            process = subprocess.Popen(
                [sys.executable, "-m", "tui", *words],
                cwd=self.folder,
                env=self.environment,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            out, err = process.communicate(timeout=DEADLINE)
        finally:
            os.close(ours)
            os.close(theirs)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    (home / ".ssh").mkdir(parents=True)
    return Desk(project, home)
