"""Inspects the training interpreter: its version, its packages, and whether its torch can train."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Dict, List, Optional, Tuple, TypedDict

from agent.paths import WINDOWS
from agent.server import OperationError
from agent.wire.decode import decode
from agent.wire.deploy import TorchFacts
from agent.wire.frames import parse_json
from agent.wire.message import Message, message
from agent.wire.reasons import system_reason

#: :func:`agent.command.run` with the request's output and cancellation bound to it.
Run = Callable[..., Any]

_MARK = "DTUI-FACTS "
# The inspected interpreter runs this; it may be older than any supported version.
_PROBE = r"""
import json, platform, sys
facts = {"python": platform.python_version(), "packages": {}, "torch": None, "places": []}
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
                "error": None, "version": torch.__version__, "cuda": torch.version.cuda,
                "hip": getattr(torch.version, "hip", None), "sees_gpu": torch.cuda.is_available(),
                "gloo": there and spread.is_gloo_available(), "nccl": there and spread.is_nccl_available(),
            }
        except Exception as error:
            facts["torch"] = dict.fromkeys(("version", "cuda", "hip", "sees_gpu", "gloo", "nccl"))
            facts["torch"]["error"] = "%s: %s" % (type(error).__name__, error)
sys.stdout.write("DTUI-FACTS " + json.dumps(facts) + "\n")
"""


class InterpreterFacts(TypedDict):
    """The report of an interpreter: its packages by name, its package folders, its torch."""

    python: str
    packages: Dict[str, str]
    torch: Optional[TorchFacts]
    places: List[str]


def inspect(interpreter: str, cwd: str, run: Run) -> InterpreterFacts:
    """Return an interpreter's facts; raises OperationError when it can't be used to train."""
    try:
        result = run([interpreter, "-c", _PROBE], cwd=cwd, timeout=180.0)
    except TimeoutError:
        raise _unusable(
            message(
                "interpreter.silent",
                "the interpreter {interpreter} did not answer within 180 s",
                interpreter=interpreter,
            )
        ) from None
    except OSError as error:
        raise _unusable(
            message(
                "interpreter.not-started",
                "the interpreter {interpreter} can't be started: {error}",
                interpreter=interpreter,
                error=system_reason(error),
            )
        ) from None
    for line in result.tail:
        at = line.find(_MARK)
        if at >= 0:
            facts = _decoded(line[at + len(_MARK) :], interpreter)
            refuse(facts, interpreter)
            return facts
    said = " ".join(result.tail)[-300:]
    if "Microsoft Store" in said or "Python was not found" in said:
        raise _unusable(
            message(
                "interpreter.store-placeholder",
                "the interpreter {interpreter} is only the Microsoft Store's placeholder, not Python",
                interpreter=interpreter,
            )
        )
    raise _unusable(
        message(
            "interpreter.not-working",
            "the interpreter {interpreter} is not a working Python: status {status}, output {said!r}",
            interpreter=interpreter,
            status=result.status,
            said=said,
        )
    )


def _decoded(text: str, interpreter: str) -> InterpreterFacts:
    try:
        return decode(InterpreterFacts, parse_json(text.encode("utf-8")))
    except ValueError as error:
        raise _unusable(
            message(
                "interpreter.invalid-description",
                "the interpreter {interpreter} gave no valid description of itself ({error})",
                interpreter=interpreter,
                error=str(error),
            )
        ) from None


def refuse(facts: InterpreterFacts, interpreter: str, windows: bool = WINDOWS) -> None:
    """Raise OperationError when a rank could not work with this Python or this torch."""
    if _version(facts["python"]) < (3, 9):
        raise _unusable(
            message(
                "interpreter.too-old",
                "the interpreter {interpreter} is Python {version}, and 3.9 or newer is needed",
                interpreter=interpreter,
                version=facts["python"],
            )
        )
    torch = facts["torch"]
    if torch and torch["error"] is not None:
        raise OperationError(
            "torch",
            message(
                "torch.not-loaded",
                "torch {version} of {interpreter} does not load: {error}",
                version=facts["packages"]["torch"],
                interpreter=interpreter,
                error=torch["error"],
            ),
            message(
                "torch.not-loaded.remedy",
                "install it again; on Windows the Visual C++ Redistributable may be missing",
            ),
        )
    if torch and not torch["gloo"] and (windows or not torch["nccl"]):
        raise OperationError(
            "torch",
            message(
                "torch.without-gloo",
                "torch {version} of {interpreter} was built without gloo, so its ranks can't meet",
                version=str(torch["version"]),
                interpreter=interpreter,
            ),
            message(
                "torch.without-gloo-windows.remedy",
                "install torch 2.7.1 or older, or 2.11 or newer: the Windows builds in between lack gloo",
            )
            if windows
            else message("torch.without-gloo.remedy", "install another build of torch"),
        )


def warnings(facts: InterpreterFacts, nvidia: bool) -> List[Message]:
    """Return the warnings about a usable interpreter; ``nvidia``: the node has such a GPU."""
    torch = facts["torch"]
    if torch and nvidia and not torch["cuda"]:
        return [
            message(
                "torch.cpu-build",
                "torch {version} is a build for the CPU, and this node has an NVIDIA GPU: "
                "install the build for CUDA (uv pip install torch --torch-backend=auto)",
                version=str(torch["version"]),
            )
        ]
    if torch and nvidia and not torch["sees_gpu"]:
        return [
            message(
                "torch.sees-no-gpu",
                "torch {version} does not see this node's GPU: the driver may be too old for it",
                version=str(torch["version"]),
            )
        ]
    return []


def has_nvidia() -> bool:
    """Return whether an NVIDIA driver is loaded."""
    if WINDOWS:
        system = os.environ.get("SYSTEMROOT", "C:\\Windows")
        return os.path.exists(os.path.join(system, "System32", "nvml.dll"))
    return os.path.exists("/proc/driver/nvidia/version")


def _unusable(what: Message) -> OperationError:
    remedy = message(
        "interpreter.remedy",
        "set the node's `interpreter` to the full path of the Python that trains, or use `environment: uv`",
    )
    return OperationError("interpreter", what, remedy)


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
