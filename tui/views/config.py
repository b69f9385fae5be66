"""What a configuration's text comes to, worked out while it is typed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fleet.state import FleetState
from tui.i18n import Texts
from tui.operations import NodeCard
from tui.widgets.paint import Spans, wrap

_WANDB = re.compile(
    r"^(wandb:[^\S\n]*\n(?:[^\S\n]+.*\n|[^\S\n]*\n)*?[^\S\n]+enabled:[^\S\n]*)(\w+)", re.MULTILINE
)


def parse(text: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return the settings and what is wrong with the text."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{mark.line + 1}:{mark.column + 1}: " if mark is not None else ""
        return {}, [f"{where}{getattr(error, 'problem', None) or error}"]
    if found is None:
        return {}, []
    if not isinstance(found, dict):
        return {}, ["1:1: expected keys with values"]
    return found, _faults(found)


def _faults(settings: Mapping[str, Any]) -> list[str]:
    faults = []
    training = settings.get("training") or {}
    if not isinstance(training, dict):
        return ["training: expected keys with values"]
    for key in ("batch_size", "gradient_accumulation_steps", "save_every", "max_checkpoints"):
        value = training.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            faults.append(f"training.{key}: a whole number from 1 on is needed, not {value!r}")
    precision = training.get("mixed_precision")
    if precision is not None and precision not in ("no", "fp16", "bf16", False):
        faults.append(f"training.mixed_precision: no, fp16 or bf16 is needed, not {precision!r}")
    return faults


def ranks_of(cards: Sequence[NodeCard], state: FleetState) -> int:
    """Return how many ranks a run on all nodes would have: one a GPU, one for a node without."""
    total = 0
    for card in cards:
        node = state.nodes.get(card.name)
        wanted = int(card.gpus) if card.gpus.isdigit() else None
        total += max(1, wanted if wanted is not None else len(node.gpus) if node else 0)
    return total


def training_lines(
    settings: Mapping[str, Any], ranks: int, nodes: int, texts: Texts, width: int
) -> list[Spans]:
    """Return the effective batch size of ``ranks`` on ``nodes``, and the W&B switch."""
    training = settings.get("training")
    training = training if isinstance(training, dict) else {}
    batch, steps = training.get("batch_size"), training.get("gradient_accumulation_steps", 1)
    lines: list[Spans] = []
    if isinstance(batch, int) and isinstance(steps, int):
        total = batch * max(1, ranks) * steps
        numbers = {"batch": batch, "ranks": max(1, ranks), "nodes": max(1, nodes), "steps": steps}
        text = texts("config.batch_sum", **numbers, total=total)
        lines += [[(texts("config.batch"), "head")], [(f"{total}", "title")]]
        lines += [[(line, "text")] for line in wrap(text, width)]
        lines.append([])
    wandb = settings.get("wandb")
    wandb = wandb if isinstance(wandb, dict) else {}
    if wandb.get("enabled"):
        text = texts("config.wandb_on", project=wandb.get("project", "–"))
        lines += [[(line, "ok")] for line in wrap(f"● {text}", width)]
    else:
        lines.append([(f"○ {texts('config.wandb_off')}", "muted")])
    return lines


def with_wandb_switched(text: str) -> str:
    """Return the text with ``wandb.enabled`` turned round, added at the end where it is missing."""
    if _WANDB.search(text):
        return _WANDB.sub(lambda found: found[1] + ("false" if found[2] == "true" else "true"), text, count=1)
    return text.rstrip("\n") + "\nwandb:\n  enabled: true\n"
