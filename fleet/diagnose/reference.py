"""The pages of all known causes, ``docs/causes.md`` and ``docs/causes.ko.md``, made from the rules.

``scripts/generated_pages.py`` updates the files.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.wire.message import Message, message
from fleet.diagnose.rules import AREAS, shipped_rules

_TITLES = {
    "memory": message("causes.memory", "Memory of GPUs and machines"),
    "loaders": message("causes.loaders", "Data loaders and data"),
    "gpu": message("causes.gpu", "GPUs and their driver"),
    "libraries": message("causes.libraries", "Native libraries, compilers and versions"),
    "nccl": message("causes.nccl", "NCCL and collective operations"),
    "rendezvous": message("causes.rendezvous", "Start of the process group, ports and names"),
    "ddp": message("causes.ddp", "DDP, FSDP and DeepSpeed"),
    "checkpoints": message("causes.checkpoints", "Checkpoints and model files"),
    "training": message("causes.training", "Training that diverges"),
    "hub": message("causes.hub", "Hubs, downloads and trackers"),
    "packages": message("causes.packages", "Python packages"),
    "files": message("causes.files", "Files, disks and encodings"),
    "program": message("causes.program", "Start of the program, shells and schedulers"),
    "crash": message("causes.crash", "Processes that end without an exception"),
    "environment": message("causes.environment", "uv and pip"),
    "ssh": message("causes.ssh", "SSH"),
    "winrm": message("causes.winrm", "WinRM"),
}
_TITLE = message("causes.title", "Known causes of failures")
_HEAD = message("causes.head", "| id | cause | what to do | seen in |")


def page(translate: Callable[[Message], str] = str) -> str:
    """Return the Markdown page of all causes."""
    rules = shipped_rules()
    intro = message(
        "causes.intro",
        "dtui recognizes {causes} causes. A cause is claimed only when its rule matches the exception that "
        "ended the program, or how the program ended; otherwise dtui shows what is known. `\\1` stands for "
        "a part of the line.",
        causes=len(rules),
    )
    parts = [f"# {translate(_TITLE)}", "", translate(intro), ""]
    for area in AREAS:
        parts += [f"## {translate(_TITLES[area])}", "", translate(_HEAD), "|---|---|---|---|"]
        for rule in rules:
            if rule.area == area:
                texts = (translate(text) for text in rule.texts())
                parts.append(f"| `{rule.id}` | {' | '.join(map(_escaped, texts))} | {rule.source} |")
        parts.append("")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
