"""The environment that ``uv`` makes in the project, ``.venv``; uv itself is installed when missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Any, Callable, List, Optional, Sequence

from agent.command import in_environment
from agent.paths import WINDOWS
from agent.server import OperationError

#: How :func:`agent.command.run` is handed on, with the request's output and cancellation bound to it.
Run = Callable[..., Any]

_REMEDIES = (
    (r"No space left|os error (28|112)\b", "free space on the node's disk"),
    (r"os error (5|32|33)\b", "a program or a virus scanner holds a file: close it and deploy again"),
    (r"dns error|connect|timed out|tunnel|certificate", "check the node's network, proxy and package index"),
    (
        r"No solution found|unsatisfiable|not found in the package registry",
        "correct the project's dependencies",
    ),
    (r"requires-python|No interpreter found|No download found", "install a Python that the project allows"),
)


def make(root: str, cache: str, extras: Sequence[str], run: Run, say: Callable[[str], None]) -> str:
    """Bring the project's ``.venv`` up to date and return its interpreter; raises OperationError.

    ``extras`` are the optional dependencies wanted; without any, one named ``train`` is, if there is one.
    """
    project = os.path.join(root, "pyproject.toml")
    requirements = os.path.join(root, "requirements.txt")
    interpreter = in_environment(os.path.join(root, ".venv"), "python")
    if os.path.exists(project):
        wanted = list(extras) or (["train"] if _has_train(project) else [])
        steps = [["sync", *(word for name in wanted for word in ("--extra", name))]]
    elif os.path.exists(requirements):
        steps = [["pip", "install", "--python", interpreter, "-r", "requirements.txt"]]
        if not os.path.exists(interpreter):
            steps.insert(0, ["venv", ".venv"])
    else:
        raise OperationError(
            "no-dependencies",
            "the project has neither pyproject.toml nor requirements.txt, so uv can't make its environment",
            "add one of them, or use `environment: existing`",
        )
    uv = find(cache, run) or install(cache, run, say)
    for step in steps:
        say(f"$ uv {' '.join(step)}\n")
        result = run([uv, *step], cwd=root)
        if result.status != 0:
            raise _failed(f"uv {step[0]}", result)
    return interpreter


def find(cache: str, run: Run) -> Optional[str]:
    """Return a uv that runs, None when the node has none."""
    home = os.path.expanduser("~")
    name = "uv.exe" if WINDOWS else "uv"
    candidates = [
        shutil.which("uv"),
        os.path.join(os.path.dirname(sys.executable), name),
        os.path.join(os.path.dirname(sys.executable), "Scripts", name),
        os.path.join(home, ".local", "bin", name),
        os.path.join(home, ".cargo", "bin", name),
        in_environment(os.path.join(cache, "uv"), "uv"),
    ]
    for candidate in candidates:
        if candidate and os.path.isfile(candidate):
            try:
                if run([candidate, "--version"], cwd=home, timeout=60.0).status == 0:
                    return candidate
            except (OSError, TimeoutError):
                pass
    return None


def install(cache: str, run: Run, say: Callable[[str], None]) -> str:
    """Install uv from the configured package index into dtui's own folder; raises OperationError."""
    say("uv is not installed on this node; installing it for dtui\n")
    final = os.path.join(cache, "uv")
    # Beside first: several nodes of one machine share the folder and may install at the same moment.
    beside = f"{final}-{os.getpid()}"
    os.makedirs(cache, exist_ok=True)
    try:
        _install_into(beside, cache, run, say)
        try:
            os.rename(beside, final)
        except OSError:
            if not os.path.exists(in_environment(final, "uv")):  # what lies there is no use
                shutil.rmtree(final, ignore_errors=True)
                os.rename(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return in_environment(final, "uv")


def _install_into(folder: str, cache: str, run: Run, say: Callable[[str], None]) -> None:
    python = in_environment(folder, "python")
    install_uv = ["install", "--disable-pip-version-check", "uv"]
    # The Python's own pip saves unpacking another one; it may be missing, or older than `--python`.
    quick = [
        [sys.executable, "-m", "venv", "--without-pip", folder],
        [sys.executable, "-m", "pip", "--python", python, *install_uv],
    ]
    thorough = [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", *install_uv]]
    for steps in (quick, thorough):
        for step in steps:
            result = run(step, cwd=cache)
            if result.status != 0:
                break
        else:
            return
        if steps is quick:
            say("trying again with a pip of its own\n")
    raise _failed("installing uv", result)


def advice(root: str) -> List[str]:
    """Return what a person should know about how the environment is described."""
    if os.path.exists(os.path.join(root, "pyproject.toml")) and not os.path.exists(
        os.path.join(root, "uv.lock")
    ):
        return [
            "the project has no uv.lock, so nodes may get different versions: run `uv lock` on the master "
            "and deploy again"
        ]
    return []


def _has_train(project: str) -> bool:
    with open(project, encoding="utf-8", errors="replace") as file:
        text = file.read()
    table = re.search(
        r"^\[project\.optional-dependencies\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL
    )
    return bool(table and re.search(r"^\s*[\"']?train[\"']?\s*=", table.group(1), re.MULTILINE))


def _failed(step: str, result: Any) -> OperationError:
    said = "\n".join(result.tail)
    hint = next(
        (remedy for pattern, remedy in _REMEDIES if re.search(pattern, said, re.IGNORECASE)),
        "see its output above",
    )
    last = " ".join(said.split())[-400:]
    return OperationError("environment", f"{step} ended with status {result.status}: {last}", hint)
