"""The environment that ``uv`` makes in a folder of the project; uv itself is installed when missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Any, Dict, List, Optional

from agent import durable
from agent.command import in_environment
from agent.environments import uv_pin
from agent.environments.programs import Programs
from agent.paths import WINDOWS
from agent.private import make_folder, opener
from agent.server import OperationError
from agent.tree.staging import own_folder
from agent.wire.deploy import Recipe
from agent.wire.message import Message, message

_REMEDIES = (
    (
        r"DO\sNOT\sMATCH\sTHE\sHASHES",
        message(
            "environment.other-uv.remedy",
            "the package index served a file with another hash than dtui expects: ask the index's "
            "administrator, and install uv manually if the file is correct",
        ),
    ),
    (
        r"No\smatching\sdistribution",
        message(
            "environment.no-uv-wheel.remedy",
            "the package index or the wheelhouse has no wheel of this uv for the node: "
            "install uv on the node manually",
        ),
    ),
    (
        r"No space left|os error (28|112)\b",
        message("environment.disk-full.remedy", "free space on the node's disk"),
    ),
    (
        r"os error (5|32|33)\b",
        message(
            "environment.file-held.remedy",
            "a program or a virus scanner holds a file: close it and deploy again",
        ),
    ),
    (
        r"dns error|connect|timed out|tunnel|certificate",
        message("environment.network.remedy", "check the node's network, proxy and package index"),
    ),
    (
        r"No solution found|unsatisfiable|not found in the (package registry|provided package locations)",
        message(
            "environment.no-solution.remedy",
            "correct the project's dependencies, or add the missing wheels to the wheelhouse",
        ),
    ),
    (
        r"requires-python|No interpreter found|No download found",
        message("environment.no-python.remedy", "install a Python that the project allows"),
    ),
)


def interpreter_of(root: str, folder: str) -> str:
    """Return the path of the interpreter of the environment in ``folder``, which may not be there yet."""
    return in_environment(os.path.join(root, *folder.split("/")), "python")


def make(
    root: str, folder: str, cache: str, recipe: Recipe, wheelhouse: Optional[str], programs: Programs
) -> None:
    """Bring the environment in ``folder`` below the project up to date; raises OperationError.

    ``wheelhouse`` is a folder of wheels to use instead of the package index.
    """
    # Without the network uv must neither query an index nor download a Python.
    offline = [] if wheelhouse is None else ["--offline", "--no-index", "--find-links", wheelhouse]
    steps = (
        _project(root, folder, recipe, offline)
        if recipe["tool"] == "project"
        else _packages(root, folder, recipe, offline)
    )
    uv = find(cache, programs) or install(cache, wheelhouse, programs)
    for step in steps:
        programs.send_text(f"$ uv {' '.join(step)}\n")
        result = programs.run([uv, *step], cwd=root, extra={"UV_PROJECT_ENVIRONMENT": folder})
        if result.status != 0:
            raise _failed(f"uv {step[0]}", result)


def _project(root: str, folder: str, recipe: Recipe, offline: List[str]) -> List[List[str]]:
    """Return the steps for a project that pyproject.toml describes."""
    extras = [word for name in recipe["extras"] for word in ("--extra", name)]
    if not offline:
        return [["sync", *extras]]
    python = interpreter_of(root, folder)
    itself = [["pip", "install", "--python", python, *offline, "--no-deps", "-e", "."]]
    if os.path.exists(os.path.join(root, "uv.lock")):
        # `uv sync` would look for the files at the addresses that the lock file has.
        locked = os.path.join(own_folder(root), "requirements.txt")
        export = ["export", "--frozen", "--quiet", "--no-emit-project", *extras, "--output-file", locked]
        sync = ["pip", "sync", "--python", python, *offline, locked]
        steps = [*_venv(root, folder, offline), export, sync, *(itself if recipe["editable"] else [])]
    elif recipe["editable"]:
        target = f".[{','.join(recipe['extras'])}]" if recipe["extras"] else "."
        steps = [
            *_venv(root, folder, offline),
            ["pip", "install", "--python", python, *offline, "-e", target],
        ]
    else:
        requirements = ["-r", "pyproject.toml", *extras]
        steps = [
            *_venv(root, folder, offline),
            ["pip", "install", "--python", python, *offline, *requirements],
        ]
    return steps


def _packages(root: str, folder: str, recipe: Recipe, offline: List[str]) -> List[List[str]]:
    """Return the steps for lists of requirements, and for a project that setup.py describes."""
    words = [word for name in recipe["requirements"] for word in ("-r", name)]
    if recipe["editable"]:
        words += ["-e", f".[{','.join(recipe['extras'])}]" if recipe["extras"] else "."]
    return [
        *_venv(root, folder, offline),
        ["pip", "install", "--python", interpreter_of(root, folder), *offline, *words],
    ]


def _venv(root: str, folder: str, offline: List[str]) -> List[List[str]]:
    if os.path.exists(interpreter_of(root, folder)):
        return []
    return [["venv", *(["--offline"] if offline else []), folder]]


def find(cache: str, programs: Programs) -> Optional[str]:
    """Return a uv that runs, None when the node has none."""
    home = os.path.expanduser("~")
    name = "uv.exe" if WINDOWS else "uv"
    candidates = [
        shutil.which("uv", path=programs.environment.get("PATH")),
        os.path.join(os.path.dirname(sys.executable), name),
        os.path.join(os.path.dirname(sys.executable), "Scripts", name),
        os.path.join(home, ".local", "bin", name),
        os.path.join(home, ".cargo", "bin", name),
        in_environment(os.path.join(cache, "uv"), "uv"),
    ]
    for candidate in candidates:
        if candidate and os.path.isfile(candidate):
            try:
                if programs.run([candidate, "--version"], cwd=home, timeout=60.0, silent=True).status == 0:
                    return candidate
            except (OSError, TimeoutError):
                pass
    return None


def install(cache: str, wheelhouse: Optional[str], programs: Programs) -> str:
    """Install the pinned uv from the configured package index, or the wheelhouse, into dtui's own folder.

    pip refuses any file whose SHA-256 is not in :mod:`agent.environments.uv_pin`. Raises OperationError.
    """
    programs.send_text("uv is not installed on this node; installing it for dtui\n")
    final = os.path.join(cache, "uv")
    # Into another folder first: nodes of one machine share this one and may install at the same time.
    fresh = f"{final}-{os.getpid()}"
    make_folder(cache)
    try:
        _install_into(fresh, cache, wheelhouse, programs)
        try:
            os.rename(fresh, final)
        except OSError:
            if not os.path.exists(in_environment(final, "uv")):  # the existing folder is unusable
                shutil.rmtree(final, ignore_errors=True)
                os.rename(fresh, final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        durable.remove(f"{fresh}.txt")
    return in_environment(final, "uv")


def _install_into(folder: str, cache: str, wheelhouse: Optional[str], programs: Programs) -> None:
    python = in_environment(folder, "python")
    pinned = f"{folder}.txt"
    with open(pinned, "w", encoding="ascii", opener=opener) as file:
        file.write(uv_pin.requirements())
    only_pinned = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", pinned]
    install_uv = ["install", "--disable-pip-version-check", *only_pinned]
    extra: Dict[str, str] = {}
    if wheelhouse is not None:
        extra = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheelhouse}
    # The Python's own pip saves unpacking another one; it may be missing, or older than `--python`.
    quick = [
        [sys.executable, "-m", "venv", "--without-pip", folder],
        [sys.executable, "-m", "pip", "--python", python, *install_uv],
    ]
    thorough = [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", *install_uv]]
    for steps in (quick, thorough):
        for step in steps:
            result = programs.run(step, cwd=cache, extra=extra)
            if result.status != 0:
                break
        else:
            return
        if steps is quick:
            programs.send_text("trying again with a separate pip\n")
    raise _failed(f"installing uv {uv_pin.VERSION}", result)


def advice(root: str) -> List[Message]:
    """Return the warnings about how the environment is described."""
    if os.path.exists(os.path.join(root, "pyproject.toml")) and not os.path.exists(
        os.path.join(root, "uv.lock")
    ):
        return [
            message(
                "environment.no-lock-file",
                "the project has no uv.lock, so nodes may get different versions: "
                "run `uv lock` on the master and deploy again",
            )
        ]
    return []


def _failed(step: str, result: Any) -> OperationError:
    said = "\n".join(result.tail)
    hint = next(
        (remedy for pattern, remedy in _REMEDIES if re.search(pattern, said, re.IGNORECASE)),
        message("environment.step-failed.remedy", "see its output above"),
    )
    failed = message(
        "environment.step-failed",
        "{step} ended with status {status}: {said}",
        step=step,
        status=result.status,
        said=" ".join(said.split())[-400:],
    )
    return OperationError("environment", failed, hint)
