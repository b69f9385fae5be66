"""NVIDIA GPUs through ``nvidia-smi``, for where NVML can't be loaded (a 32-bit Python, say)."""

from __future__ import annotations

import os
import re
import shutil
from typing import Dict, List, Optional, Tuple

from agent.sampler.gpu import Gpu, SourceError, blank
from agent.sampler.nvml_readings import program_name
from agent.sampler.programs import Run, run_program

_MIB = 1 << 20
_PROCESS_FIELDS = "gpu_uuid,pid,used_memory,name"
_FORMAT = ("--format=csv,noheader,nounits",)

#: nvidia-smi's field -> ours, and how its number becomes one in our unit; None keeps the text.
COLUMNS: Tuple[Tuple[str, str, Optional[float]], ...] = (
    ("index", "index", 1),
    ("uuid", "uuid", None),
    ("name", "name", None),
    ("driver_version", "driver", None),
    ("compute_mode", "compute_mode", None),
    ("memory.total", "memory_total", _MIB),
    ("memory.used", "memory_used", _MIB),
    ("utilization.gpu", "util", 1),
    ("utilization.memory", "memory_util", 1),
    ("power.draw", "power", 1.0),
    ("enforced.power.limit", "power_cap", 1.0),
    ("temperature.gpu", "temperature", 1),
    ("clocks.sm", "clock", 1),
    ("clocks.mem", "clock_memory", 1),
    ("clocks.max.sm", "clock_max", 1),
    ("pcie.link.gen.current", "pcie_generation", 1),
    ("pcie.link.width.current", "pcie_width", 1),
    ("fan.speed", "fan", 1),
    ("ecc.errors.corrected.volatile.total", "ecc_corrected", 1),
    ("ecc.errors.uncorrected.volatile.total", "ecc_uncorrected", 1),
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

    name = "nvidia-smi"

    def __init__(self, program: str, run: Run = run_program) -> None:
        self._program = program
        self._run = run
        self._columns = COLUMNS
        self.driver: Optional[str] = None
        self.cuda: Optional[str] = None

    def read(self) -> List[Gpu]:
        """Return all GPUs; raises SourceError with what nvidia-smi said."""
        while True:
            fields = ",".join(column[0] for column in self._columns)
            status, output = self._run([self._program, "--query-gpu=" + fields, *_FORMAT])
            unknown = _BAD_FIELD.search(output)
            known = tuple(column for column in self._columns if not unknown or column[0] != unknown.group(1))
            if len(known) == len(self._columns):
                break
            self._columns = known  # an older nvidia-smi: ask again without that field
        if status != 0:
            raise SourceError(explain(output))
        gpus, self.driver = parse_gpus(output, self._columns)
        status, output = self._run([self._program, "--query-compute-apps=" + _PROCESS_FIELDS, *_FORMAT])
        processes = parse_processes(output) if status == 0 else None
        for gpu in gpus:
            gpu["processes"] = processes.get(gpu["uuid"], []) if processes is not None else None
        return gpus


def explain(output: str) -> str:
    """Return a sentence for what a failing nvidia-smi printed."""
    text = " ".join(output.split())
    if "couldn't communicate with the NVIDIA driver" in text:
        return "nvidia-smi can't reach the NVIDIA driver; reinstall the driver and restart the node"
    if "version mismatch" in text:
        return "the NVIDIA driver was updated while an older one is still loaded; restart the node"
    if "No devices were found" in text:
        return "the NVIDIA driver finds no GPU"
    return "nvidia-smi failed: %s" % (text[:200] or "it said nothing")


def parse_gpus(
    text: str, columns: Tuple[Tuple[str, str, Optional[float]], ...] = COLUMNS
) -> Tuple[List[Gpu], Optional[str]]:
    """Return the GPUs and the driver's version; lines that are no record of ``columns`` are left out."""
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
