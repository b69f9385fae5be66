"""The wheel and the sdist of what git would commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_NOT_SHIPPED = ("tests/", "snapshots/", "benchmarks/")


def run(*argv: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DTUI_"))}
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**clean, "PYTHONUTF8": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def would_be_committed() -> list[str]:
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@dataclass(frozen=True)
class Built:
    """The folder of wheel and sdist, and the files that they were built from."""

    folder: Path
    sources: tuple[str, ...]

    @property
    def wheel(self) -> Path:
        return next(self.folder.glob("*.whl"))


def build(source: Path, out: Path) -> Built:
    """Build both from a copy of what git would commit, the wheel out of the sdist as pip does."""
    names = tuple(name for name in would_be_committed() if not name.startswith(_NOT_SHIPPED))
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=source)
    return Built(out, names)
