"""Files from the Python package index, by the ordinary client and without running anything of theirs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.wine.errors import WineError

#: pip's own download would run a source package's setup.py to learn its name; its finder does not.
_FETCH = """
import sys
from pip._internal.commands import create_command
from pip._vendor.packaging.specifiers import SpecifierSet
name, version, target = sys.argv[1:]
command = create_command("download")
options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", name])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    best = finder.find_best_candidate(name, SpecifierSet("==" + version)).best_candidate
    if best is None:
        sys.exit("the package index has no %s %s" % (name, version))
    answer = session.get(best.link.url_without_fragment)
    answer.raise_for_status()
    with open(target, "wb") as file:
        file.write(answer.content)
"""


def fetch_source(name: str, version: str, sha256: str, target: Path) -> None:
    """Download a source package to ``target``; raises WineError when it is not the pinned one."""
    done = subprocess.run(
        [sys.executable, "-c", _FETCH, name, version, str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WineError(f"{name} {version} could not be downloaded: {_last_line(done.stderr)}")
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != sha256:
        raise WineError(f"{name} {version} has SHA-256 {digest}, and {sha256} is expected")


def fetch_windows_wheels(requirements: Sequence[str], python: str, target: Path) -> None:
    """Install wheels for Windows into the folder ``target``, without their dependencies."""
    _pip(
        "install", "--quiet", "--no-deps", "--no-compile", "--target", str(target),
        "--platform", "win_amd64", "--python-version", python, "--only-binary=:all:", *requirements,
    )  # fmt: skip


def download_windows_wheel(requirement: str, python: str, folder: Path) -> Path:
    """Download one wheel for Windows into ``folder`` and return its path."""
    _pip(
        "download", "--quiet", "--no-deps", "--dest", str(folder),
        "--platform", "win_amd64", "--python-version", python, "--only-binary=:all:", requirement,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WineError(f"pip {arguments[0]} failed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
