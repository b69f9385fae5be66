"""master_deploy.ps1 run by a real PowerShell, with programs that say what they were given."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scripts.reading import SCRIPTS
from tests.support.needs import needed_pwsh

#: Makes a python and a dtui as `-m venv` and `-m pip install` do; 0.1.0 is the checkout's version.
PYTHON = """#!/bin/sh
APP="$LOCALAPPDATA/dtui/app/Scripts"
echo "python $*" >> "$LOG"
case "$*" in
    *base64*) printf %s "$SELF" | base64 -w0; echo ;;
    *venv*) mkdir -p "$APP"; cp "$SELF" "$APP/python.exe" ;;
    *pip*) cp "$DTUI" "$APP/dtui.exe" ;;
esac
"""
DTUI = """#!/bin/sh
if [ "$1" = --version ]; then echo "dtui ${DTUI_IS:-0.1.0}"; exit; fi
echo "checking the nodes" >&2
for word in "$@"; do printf '[%s]' "$word"; done
echo
exit "${DTUI_ENDS:-0}"
"""


class Master:
    """A checkout, a Python and a folder for the user's programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        self.checkout = folder / "checkout"
        (self.checkout / "fleet").mkdir(parents=True)
        (self.checkout / "fleet" / "__init__.py").touch()
        (self.checkout / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n', "ascii")
        shutil.copytree(SCRIPTS, self.checkout / "scripts")
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.python = self.program("python", PYTHON)
        self.dtui = self.program("dtui.model", DTUI)
        self.pwsh = needed_pwsh()

    def program(self, name: str, text: str) -> Path:
        path = self.programs / name
        path.write_text(text, "utf-8")
        path.chmod(0o700)
        return path

    def run(self, *words: str, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        script = str(self.checkout / "scripts" / "master_deploy.ps1")
        given = (
            ["-Command", f"{before}; & '{script}' {' '.join(words)}; exit $LASTEXITCODE"]
            if before
            else ["-File", script, *words]
        )
        return subprocess.run(
            [self.pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", *given],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            env={
                "PATH": f"{self.programs}:/usr/bin:/bin",
                "HOME": str(Path.home()),
                "LOCALAPPDATA": str(self.folder / "local"),
                "LOG": str(self.log),
                "SELF": str(self.python),
                "DTUI": str(self.dtui),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=240,
        )

    def installed(self) -> int:
        """Return how often dtui was installed."""
        return self.log.read_text("utf-8").count(" pip install")


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def test_dtui_is_renewed_when_the_checkout_has_changed_or_it_does_not_start(master: Master) -> None:
    first = master.run("-WorkerIPs", "10.0.0.1,", "10.0.0.2", "-SkipDeploy", DTUI_ENDS="3")
    assert first.returncode == 3, first.stderr
    assert "[up][--workers=10.0.0.1,10.0.0.2][--skip-deploy]" in first.stdout
    assert master.installed() == 1
    assert master.run("-WorkerIPs", "10.0.0.1").returncode == 0
    assert master.installed() == 1, "installed again without a reason"
    (master.checkout / "fleet" / "new.py").write_text("x = 1\n", "ascii")
    master.run("-WorkerIPs", "10.0.0.1")
    assert master.installed() == 2, "the newer checkout was not installed"
    command = master.folder / "local" / "dtui" / "app" / "Scripts" / "dtui.exe"
    command.write_text("#!/no/such/python\n", "ascii")
    mended = master.run("-WorkerIPs", "10.0.0.1")
    assert "[up]" in mended.stdout
    assert master.log.read_text("utf-8").count("venv") == 2, "its environment was not made anew"


def test_a_dtui_on_the_path_is_used_when_it_is_the_checkouts(master: Master) -> None:
    master.program("dtui", DTUI)
    assert "[up]" in master.run("-WorkerIPs", "10.0.0.1").stdout
    assert master.installed() == 0
    older = master.run("-WorkerIPs", "10.0.0.1", DTUI_IS="0.0.9")
    assert "dtui 0.0.9" in older.stdout
    assert master.installed() == 1


def test_the_exit_code_is_dtuis_whatever_the_profile_and_the_redirection(master: Master) -> None:
    master.program("dtui", DTUI)
    profile = (
        "$PSNativeCommandUseErrorActionPreference = $true; $ErrorActionPreference = 'Stop'; "
        "$PSDefaultParameterValues = @{ '*:ErrorAction' = 'SilentlyContinue' }"
    )
    done = master.run("-WorkerIPs", "10.0.0.1", "*>&1", before=profile, DTUI_ENDS="2")
    assert done.returncode == 2
    assert "checking the nodes" in done.stdout + done.stderr
    assert master.run("-WorkerIPs", "0.0.0.0", before=profile).returncode == 1


def test_without_a_terminal_it_names_the_options(master: Master) -> None:
    master.program("dtui", DTUI)
    done = master.run()
    assert done.returncode == 1
    assert "-WorkersFile" in done.stderr
    assert "Read and Prompt" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("D:\\AI Project\\", "D:\\AI Project"),
        ("D:\\", "D:\\"),
        ("~/train", "~/train"),
        ("\\\\s\\my share\\", "\\\\s\\my share"),
    ],
)
def test_a_folder_that_ends_in_a_backslash(master: Master, given: str, passed: str) -> None:
    """Windows PowerShell would pass `"D:\\AI Project\\"`, whose last quote is escaped."""
    master.program("dtui", DTUI)
    done = master.run("-WorkerIPs", "10.0.0.1", "-ProjectPath", given, "-Port", "29501")
    assert f"[--project-path={passed}][--port=29501]" in done.stdout
