"""AMD GPUs through ``amd-smi``, or through its older sister ``rocm-smi``."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any, Dict, List, Literal, Optional, Tuple

from agent.sampler.gpu import Raw, SourceError, blank
from agent.sampler.nvml_readings import program_name
from agent.sampler.programs import Run, run_program
from agent.wire.gpu import GPU_QUANTITIES, GpuSource
from agent.wire.message import message

_MIB = 1 << 20
_PROGRAMS: Tuple[Literal["amd-smi"], Literal["rocm-smi"]] = ("amd-smi", "rocm-smi")
_UNITS = {"B": 1, "KB": 1 << 10, "MB": _MIB, "GB": 1 << 30, "mW": 0.001}

#: Where ``amd-smi metric`` keeps a value: section, then key; the first that is there counts.
_METRICS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    one.key: one.amd_smi for one in GPU_QUANTITIES if one.amd_smi
}

#: rocm-smi's keys, beginning with these words; releases differ in what follows and in capitals.
_ROCM = tuple((beginning, one.key) for one in GPU_QUANTITIES for beginning in one.rocm_smi)
_ROCM_ARGUMENTS = (
    "--showuse", "--showmemuse", "--showmeminfo", "vram", "--showpower", "--showtemp", "--showfan",
    "--showproductname", "--showuniqueid", "--showdriverversion", "--json",
)  # fmt: skip


class AmdSource:
    """All GPUs that one of the programs lists; ``name`` is ``amd-smi`` or ``rocm-smi``."""

    def __init__(self, name: Literal["amd-smi", "rocm-smi"], program: str, run: Run = run_program) -> None:
        self.name: GpuSource = name
        self.driver: Optional[str] = None
        self.cuda: Optional[str] = None
        self._program = program
        self._run = run
        self._static: Optional[Dict[int, Dict[str, Any]]] = None

    def read(self) -> List[Raw]:
        """Return all GPUs; raises SourceError with the program's output."""
        if self.name == "rocm-smi":
            gpus, self.driver = parse_rocm_smi(self._json(*_ROCM_ARGUMENTS))
            return gpus
        if self._static is None:
            self._static = dict(_records(self._json("static", "--json")))
        gpus = parse_amd_smi(self._json("metric", "--json"), self._static)
        drivers = [_section(facts, "driver").get("version") for facts in self._static.values()]
        self.driver = next((text for text in drivers if isinstance(text, str)), None)
        _add_processes(gpus, self._json("process", "--json"))
        return gpus

    def _json(self, *arguments: str) -> Any:
        status, output = self._run([self._program, *arguments])
        # Warnings may come before the document.
        start = min((at for at in (output.find("{"), output.find("[")) if at >= 0), default=-1)
        try:
            return json.loads(output[start:]) if start >= 0 else None
        except ValueError:
            text = " ".join(output.split())[:200]
            failed = message(
                "gpu.program-failed",
                "{program} failed with status {status}: {output}",
                program=self.name,
                status=str(status),
                output=text,
            )
            raise SourceError(failed) from None


def find_amd() -> Optional[Tuple[Literal["amd-smi", "rocm-smi"], str]]:
    """Return name and path of the program that is there, the newer one first."""
    for name in _PROGRAMS:
        path = shutil.which(name) or shutil.which(name, path="/opt/rocm/bin")
        if path:
            return name, path
    return None


def parse_amd_smi(metrics: Any, static: Dict[int, Dict[str, Any]]) -> List[Raw]:
    """Return the GPUs of ``amd-smi metric --json``, with their names and caps from ``static``."""
    gpus = []
    for index, record in _records(metrics):
        gpu = blank(index)
        for field, places in _METRICS.items():
            found = (number(_section(record, section).get(key)) for section, key in places)
            gpu[field] = next((value for value in found if value is not None), None)
        facts = static.get(index, {})
        asic = _section(facts, "asic")
        gpu["name"] = _text(asic.get("market_name"))
        gpu["uuid"] = _text(asic.get("asic_serial"))
        limits = _section(facts, "limit")
        caps = (
            _section(limits, "ppt0").get("socket_power_limit"),
            limits.get("socket_power"),
            limits.get("max_power"),
        )
        gpu["power_cap"] = next((value for value in map(number, caps) if value is not None), None)
        gpus.append(gpu)
    return gpus


def _add_processes(gpus: List[Raw], answer: Any) -> None:
    lists = {index: record.get("process_list") for index, record in _records(answer)}
    for gpu in gpus:
        entries = lists.get(gpu["index"])
        if not isinstance(entries, list):
            continue
        gpu["processes"] = []
        for entry in entries:
            info = _section(entry if isinstance(entry, dict) else {}, "process_info")
            pid = number(info.get("pid"))
            if pid is not None:
                name = _text(info.get("name"))
                memory = number(_section(info, "memory_usage").get("vram_mem"))
                gpu["processes"].append(
                    {
                        "pid": int(pid),
                        "name": program_name(name) if name else None,
                        "memory": memory,
                        "util": None,
                    }
                )


def parse_rocm_smi(answer: Any) -> Tuple[List[Raw], Optional[str]]:
    """Return the GPUs of ``rocm-smi --json`` and the driver's version."""
    gpus = []
    driver = None
    for card, record in answer.items() if isinstance(answer, dict) else ():
        if not isinstance(record, dict):
            continue
        values = {str(key).lower(): value for key, value in record.items()}
        driver = _text(values.get("driver version")) or driver
        match = re.fullmatch(r"card(\d+)", str(card))
        if match is None:
            continue
        gpu = blank(int(match.group(1)))
        for key, value in values.items():
            for beginning, field in _ROCM:
                if key.startswith(beginning) and number(value) is not None:
                    gpu[field] = number(value)  # of two temperatures the junction's comes last and counts
        gpu["name"] = _text(values.get("card series")) or _text(values.get("card model"))
        gpu["uuid"] = _text(values.get("unique id"))
        gpus.append(gpu)
    return gpus, driver


def number(value: Any) -> Any:
    """Return ``{"value": 12, "unit": "MB"}``, ``"12.5"`` or ``12`` as a number in our unit; else None."""
    if isinstance(value, dict):
        scaled = number(value.get("value"))
        return None if scaled is None else scaled * _UNITS.get(str(value.get("unit")), 1)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,6})?", value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value == int(value) else value


def _records(answer: Any) -> List[Tuple[int, Dict[str, Any]]]:
    """Return number and record of each GPU; releases differ in what they wrap the list with."""
    if isinstance(answer, dict):
        answer = answer.get("gpu_data")
    records = [record for record in answer if isinstance(record, dict)] if isinstance(answer, list) else []
    return [(record["gpu"], record) for record in records if isinstance(record.get("gpu"), int)]


def _section(record: Dict[str, Any], name: str) -> Dict[str, Any]:
    section = record.get(name)
    return section if isinstance(section, dict) else {}


def _text(value: Any) -> Optional[str]:
    return value.strip() if isinstance(value, str) and value.strip() not in ("", "N/A") else None
