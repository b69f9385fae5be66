"""Everything: each folder of tests with nothing left out, then the fuzzers. ``make full`` runs it.

A step that passed is remembered in ``.ci/full.json`` for this state of the tree, so that an interrupted run
starts again where it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DONE = ROOT / ".ci" / "full.json"
#: Test processes of folders whose tests wait for time limits most of the time; 3 elsewhere.
_WORKERS = {"hostile": 5}


def steps() -> dict[str, list[str]]:
    """Return the commands by name: one for each folder of tests, and one for the fuzzers."""
    folders = sorted(path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py")))
    found = {
        f"tests/{name}": [
            sys.executable, "-m", "pytest", "-n", str(_WORKERS.get(name, 3)), "-q", f"tests/{name}"
        ]
        for name in folders
    }  # fmt: skip
    return {**found, "fuzz": [sys.executable, "-m", "benchmarks.fuzz", "--minutes", "10"]}


def state() -> str:
    """Return what identifies this state of the tree: its commit and uncommitted changes."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    changes = git("diff", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    return git("rev-parse", "HEAD").strip()[:12] + (f"+{hash_of(changes)}" if changes else "")


def hash_of(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def main() -> int:
    tree = state()
    kept = json.loads(DONE.read_text()) if DONE.exists() else {}
    passed: dict[str, float] = kept.get(tree, {})
    failed: list[str] = []
    every = steps()
    for name, command in every.items():
        if name in passed:
            print(f"{name}: passed before", flush=True)
            continue
        begun = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, "DTUI_FULL": "1"}).returncode
        if status == 0:
            passed[name] = round(time.monotonic() - begun)
            DONE.write_text(json.dumps({tree: passed}, indent=1))
        else:
            failed.append(name)
        print(f"{name}: {'passed' if status == 0 else 'FAILED'}", flush=True)
    print(
        f"full: {len(passed)} of {len(every)} steps passed at {tree}" + f"; failed: {failed}" * bool(failed)
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
