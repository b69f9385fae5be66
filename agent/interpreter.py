"""Look at the Python that will train: does it run, what is installed, can its torch work in a fleet."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Callable, Dict, List, Tuple

from agent.paths import WINDOWS
from agent.server import OperationError

#: How :func:`agent.command.run` is handed on, with the request's output and cancellation bound to it.
Run = Callable[..., Any]

_MARK = "DTUI-FACTS "
# Run by the interpreter in question, which may be older than anything we support.
_QUESTION = r"""
import json, platform, sys
facts = {"python": platform.python_version(), "executable": sys.executable, "packages": {}, "torch": None}
if sys.version_info >= (3, 9):
    import sysconfig
    facts["places"] = sorted(set(sysconfig.get_paths()[name] for name in ("purelib", "platlib")))
    from importlib import metadata
    for name in ("torch", "accelerate", "numpy", "safetensors"):
        try:
            facts["packages"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    if "torch" in facts["packages"]:
        try:
            import torch, torch.distributed as spread
            there = spread.is_available()
            facts["torch"] = {
                "version": torch.__version__, "cuda": torch.version.cuda,
                "hip": getattr(torch.version, "hip", None), "sees_gpu": torch.cuda.is_available(),
                "gloo": there and spread.is_gloo_available(), "nccl": there and spread.is_nccl_available(),
            }
        except Exception as error:
            facts["torch"] = {"error": "%s: %s" % (type(error).__name__, error)}
sys.stdout.write("DTUI-FACTS " + json.dumps(facts) + "\n")
"""


def inspect(interpreter: str, cwd: str, run: Run) -> Dict[str, Any]:
    """Return an interpreter's facts; raises OperationError when it can't be used to train."""
    try:
        result = run([interpreter, "-c", _QUESTION], cwd=cwd, timeout=180.0)
    except TimeoutError:
        raise _unusable(interpreter, "did not answer within 180 s") from None
    except OSError as error:
        raise _unusable(interpreter, f"can't be started: {error.strerror or error}") from None
    for line in result.tail:
        at = line.find(_MARK)
        if at >= 0:
            facts: Dict[str, Any] = json.loads(line[at + len(_MARK) :])
            refuse(facts, interpreter)
            return facts
    said = " ".join(result.tail)[-300:]
    if "Microsoft Store" in said or "Python was not found" in said:
        raise _unusable(interpreter, "is only the Microsoft Store's placeholder, not Python")
    raise _unusable(interpreter, f"is no working Python: status {result.status}, saying {said!r}")


def refuse(facts: Dict[str, Any], interpreter: str, windows: bool = WINDOWS) -> None:
    """Raise OperationError when a rank could not work with this Python or this torch."""
    if _version(facts["python"]) < (3, 9):
        raise _unusable(interpreter, f"is Python {facts['python']}, and 3.9 or newer is needed")
    torch = facts["torch"]
    if torch and "error" in torch:
        raise OperationError(
            "torch",
            f"torch {facts['packages']['torch']} of {interpreter} does not load: {torch['error']}",
            "install it again; on Windows the Visual C++ Redistributable may be missing",
        )
    if torch and not torch["gloo"] and (windows or not torch["nccl"]):
        raise OperationError(
            "torch",
            f"torch {torch['version']} of {interpreter} was built without gloo, so its ranks can't meet",
            "install torch 2.7.1 or older, or 2.11 or newer: the Windows builds in between lack gloo",
        )


def warnings(facts: Dict[str, Any], nvidia: bool) -> List[str]:
    """Return what a person should know of a usable interpreter; ``nvidia``: the node has such a GPU."""
    torch = facts["torch"]
    if torch and nvidia and not torch["cuda"]:
        return [
            f"torch {torch['version']} is a build for the CPU, and this node has an NVIDIA GPU: "
            "install the build for CUDA (uv pip install torch --torch-backend=auto)"
        ]
    if torch and nvidia and not torch["sees_gpu"]:
        return [f"torch {torch['version']} does not see this node's GPU: the driver may be too old for it"]
    return []


def has_nvidia() -> bool:
    """Return whether an NVIDIA driver is loaded."""
    if WINDOWS:
        system = os.environ.get("SYSTEMROOT", "C:\\Windows")
        return os.path.exists(os.path.join(system, "System32", "nvml.dll"))
    return os.path.exists("/proc/driver/nvidia/version")


def _unusable(interpreter: str, reason: str) -> OperationError:
    return OperationError(
        "interpreter",
        f"the interpreter {interpreter} {reason}",
        "set the node's `interpreter` to the full path of the Python that trains, or use `environment: uv`",
    )


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
