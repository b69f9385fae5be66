"""An ``nvidia-smi`` that reports recorded GPUs, for queries of the fields in any order."""

from __future__ import annotations

from pathlib import Path

from agent.sampler.nvidia_smi import COLUMNS

#: The fields of recorded lines, in their order.
FIELDS = (
    "index", "uuid", "name", "driver_version", "compute_mode", "memory.total", "memory.used",
    "utilization.gpu", "utilization.memory", "power.draw", "enforced.power.limit",
    "temperature.gpu", "clocks.sm", "clocks.mem",
    "clocks.max.sm", "pcie.link.gen.current", "pcie.link.width.current", "fan.speed",
    "ecc.errors.corrected.volatile.total", "ecc.errors.uncorrected.volatile.total",
)  # fmt: skip
_KNOWN = {column[0]: column for column in COLUMNS}
#: The agent's columns in the order of recorded lines.
RECORDED = tuple(_KNOWN[field] for field in FIELDS)
_SELECT = """\
BEGIN { count = split(asked, wanted, ","); split(known, fields, ","); for (i in fields) at[fields[i]] = i }
NF {
    line = ""
    for (i = 1; i <= count; i++) line = line (i > 1 ? ", " : "") (wanted[i] in at ? $at[wanted[i]] : "[N/A]")
    print line
}"""


def install(folder: Path, lines: str, processes: str = "") -> Path:
    """Write the program into a new folder; ``lines`` are GPUs with FIELDS, ``processes`` those on GPUs."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$1" in\n'
        '--query-gpu=*) awk -F ", *" -v asked="${1#--query-gpu=}" '
        f"-v known={','.join(FIELDS)} '{_SELECT}' <<'END'\n{lines}\nEND\n;;\n"
        f"--query-compute-apps=*) echo '{processes}' ;;\n"
        "esac\n",
        "utf-8",
    )
    program.chmod(0o755)
    return program
