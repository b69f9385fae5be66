"""The environment that conda, mamba or micromamba makes from environment.yml, in ``.dtui/conda``."""

from __future__ import annotations

import os
import shutil
from typing import List, Optional

from agent.environments.programs import Programs
from agent.paths import WINDOWS
from agent.server import OperationError
from agent.tree.staging import own_folder
from agent.wire.message import message

_NAMES = ("micromamba", "mamba", "conda")
#: Where the installers put them; a login need not have them on its PATH.
_FOLDERS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba")


def interpreter_of(root: str, folder: str) -> str:
    """Return the path of the interpreter of the environment in ``folder``, which may not be there yet."""
    prefix = _prefix(root, folder)
    return os.path.join(prefix, "python.exe") if WINDOWS else os.path.join(prefix, "bin", "python")


def make(root: str, folder: str, file: str, programs: Programs) -> None:
    """Create the environment in ``folder`` again from ``file``; raises OperationError."""
    program = _find(programs)
    if program is None:
        raise OperationError(
            "no-conda",
            message(
                "environment.no-conda",
                "{file} needs conda, mamba or micromamba, and this node has none of them",
                file=file,
            ),
            message(
                "environment.no-conda.remedy",
                "install micromamba on the node, add a pyproject.toml or requirements.txt to the project, "
                "or set the node's `interpreter`",
            ),
        )
    own_folder(root)
    prefix = _prefix(root, folder)
    # A new one each time: conda's own update keeps packages that the file no longer names.
    shutil.rmtree(prefix, ignore_errors=True)
    name = os.path.splitext(os.path.basename(program))[0]
    create = ["create", "--yes"] if name == "micromamba" else ["env", "create"]
    step = [*create, "--prefix", prefix, "--file", file]
    programs.send_text("$ %s %s\n" % (name, " ".join(step)))
    result = programs.run([program, *step], cwd=root)
    if result.status != 0:
        shutil.rmtree(prefix, ignore_errors=True)
        raise OperationError(
            "environment",
            message(
                "environment.step-failed",
                "{step} ended with status {status}: {said}",
                step=f"{name} {create[0]}",
                status=result.status,
                said=" ".join(" ".join(result.tail).split())[-400:],
            ),
            message("environment.step-failed.remedy", "see its output above"),
        )


def _prefix(root: str, folder: str) -> str:
    return os.path.join(root, *folder.split("/"))


def _find(programs: Programs) -> Optional[str]:
    path = programs.environment.get("PATH")
    home = os.path.expanduser("~")
    below: List[str] = [os.path.join(home, folder) for folder in _FOLDERS]
    below += [os.path.join(home, ".local")] if WINDOWS else [os.path.join(home, ".local"), "/opt/conda"]
    for name in _NAMES:
        found = shutil.which(name, path=path)
        if found:
            return found
        for folder in below:
            place = os.path.join(folder, "Scripts" if WINDOWS else "bin", name + (".exe" if WINDOWS else ""))
            if os.path.isfile(place):
                return place
    return None
