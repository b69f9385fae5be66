"""NVIDIA GPUs through ``nvidia-smi``, if NVML can't be loaded (in a 32-bit Python, for example)."""

from __future__ import annotations

import os
import re
import shutil
from typing import Dict, List, Optional, Tuple

from agent.sampler.gpu import DRIVER_UPDATED, Raw, SourceError, blank
from agent.sampler.nvml_readings import program_name
from agent.sampler.programs import Run, run_program
from agent.wire.gpu import GPU_QUANTITIES, GpuSource
from agent.wire.message import Message, message

_MIB = 1 << 20
_PROCESS_FIELDS = "gpu_uuid,pid,used_memory,name"
_FORMAT = ("--format=csv,noheader,nounits",)

#: Factor of a number in nvidia-smi's unit; 1 makes a whole number of it.
_FACTORS: Dict[str, float] = {"bytes": _MIB, "W": 1.0}
#: nvidia-smi's field -> ours, and how its number becomes one in our unit; None keeps the text.
COLUMNS: Tuple[Tuple[str, str, Optional[float]], ...] = (
    ("index", "index", 1),
    ("uuid", "uuid", None),
    ("name", "name", None),
    ("driver_version", "driver", None),
    ("compute_mode", "compute_mode", None),
    ("clocks.max.sm", "clock_max", 1),
    ("pcie.link.gen.current", "pcie_generation", 1),
    ("pcie.link.width.current", "pcie_width", 1),
    *((one.nvidia_smi, one.key, _FACTORS.get(one.unit, 1)) for one in GPU_QUANTITIES if one.nvidia_smi),
)
_MODES = {"default": "default", "prohibited": "prohibited"}
_PLACES = (
    "/usr/bin/nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
    "${SystemRoot}/System32/nvidia-smi.exe",
    "${ProgramFiles}/NVIDIA Corporation/NVSMI/nvidia-smi.exe",
)
_BAD_FIELD = re.compile(r'Field "([\w.]+)" is not a valid field')


def find_nvidia_smi() -> Optional[str]:
    """Return the program's path; Windows does not put it on every PATH."""
    places = [shutil.which("nvidia-smi"), *(os.path.expandvars(place) for place in _PLACES)]
    return next((place for place in places if place and os.path.isfile(place)), None)


class NvidiaSmiSource:
    """All GPUs that ``nvidia-smi`` lists, asked by ``run``."""

    name: GpuSource = "nvidia-smi"

    def __init__(self, program: str, run: Run = run_program) -> None:
        self._program = program
        self._run = run
        self._columns = COLUMNS
        self.driver: Optional[str] = None
        self.cuda: Optional[str] = None

    def read(self) -> List[Raw]:
        """Return all GPUs; raises SourceError with nvidia-smi's output."""
        while True:
            fields = ",".join(column[0] for column in self._columns)
            status, output = self._run([self._program, "--query-gpu=" + fields, *_FORMAT])
            unknown = _BAD_FIELD.search(output)
            known = tuple(column for column in self._columns if not unknown or column[0] != unknown.group(1))
            if len(known) == len(self._columns):
                break
            self._columns = known  # an older nvidia-smi: query again without that field
        if status != 0:
            raise SourceError(explain(output))
        gpus, self.driver = parse_gpus(output, self._columns)
        status, output = self._run([self._program, "--query-compute-apps=" + _PROCESS_FIELDS, *_FORMAT])
        processes = parse_processes(output) if status == 0 else None
        for gpu in gpus:
            gpu["processes"] = processes.get(gpu["uuid"], []) if processes is not None else None
        return gpus


def explain(output: str) -> Message:
    """Return the reason for which nvidia-smi failed, from its output."""
    text = " ".join(output.split())
    if "couldn't communicate with the NVIDIA driver" in text:
        return message(
            "gpu.smi-no-driver",
            "nvidia-smi can't reach the NVIDIA driver; reinstall the driver and restart the node",
        )
    if "version mismatch" in text:
        return DRIVER_UPDATED
    if "No devices were found" in text:
        return message("gpu.none-found", "the NVIDIA driver finds no GPU")
    if not text:
        return message("gpu.smi-silent", "nvidia-smi failed without output")
    return message("gpu.smi-failed", "nvidia-smi failed: {output}", output=text[:200])


def parse_gpus(
    text: str, columns: Tuple[Tuple[str, str, Optional[float]], ...] = COLUMNS
) -> Tuple[List[Raw], Optional[str]]:
    """Return the GPUs and the driver's version; lines that are not a record of ``columns`` are left out."""
    gpus = []
    driver = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(columns):
            continue
        record = {ours: value(cell, scale) for (_, ours, scale), cell in zip(columns, cells)}
        index = record.get("index")
        if not isinstance(index, int):
            continue
        driver = record.pop("driver", None) or driver
        mode = str(record.get("compute_mode") or "").lower()
        record["compute_mode"] = _MODES.get(mode, "exclusive" if mode.startswith("exclusive") else None)
        gpu = blank(index)
        gpu.update(record)
        gpus.append(gpu)
    return gpus, driver if isinstance(driver, str) else None


def parse_processes(text: str) -> Dict[str, List[Dict[str, object]]]:
    """Return the processes of each GPU's uuid; the last column, the name, may itself hold commas."""
    found: Dict[str, List[Dict[str, object]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",", 3)]
        if len(cells) != 4 or not _digits(cells[1]):
            continue
        name = value(cells[3], None)
        found.setdefault(cells[0], []).append(
            {
                "pid": int(cells[1]),
                "name": program_name(name) if isinstance(name, str) else None,
                "memory": value(cells[2], _MIB),
                "util": None,
            }
        )
    return found


def value(cell: str, scale: Optional[float]) -> object:
    """Return a cell as number times ``scale``, or as text; None for ``[N/A]`` and its kin."""
    if not cell or cell.startswith("[") or cell in ("N/A", "ERR!"):
        return None
    if scale is None:
        return cell
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", cell):
        return None
    return float(cell) * scale if isinstance(scale, float) else int(float(cell)) * int(scale)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
