"""The effects of a configuration's text, computed while it is edited."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from agent.wire.message import Message, message
from fleet import bounded_yaml
from fleet.inventory.yaml_problems import yaml_problem
from fleet.state import FleetState
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.rendering.spans import Spans, wrap

_WANDB = re.compile(
    r"^(wandb:[^\S\n]*\n(?:[^\S\n]+.*\n|[^\S\n]*\n)*?[^\S\n]+enabled:[^\S\n]*)(\w+)", re.MULTILINE
)


def parse(text: str) -> tuple[Mapping[str, Any], list[Message]]:
    """Return the settings and what is wrong with the text."""
    try:
        found = bounded_yaml.load(text)
    except (yaml.YAMLError, ValueError) as error:
        what, _ = yaml_problem(error)
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        if mark is None:
            return {}, [what]
        where = f"{mark.line + 1}:{mark.column + 1}"
        return {}, [message("config.fault-at", "{where}: {what}", where=where, what=what)]
    if found is None:
        return {}, []
    if not isinstance(found, dict):
        return {}, [_not_keys("1:1")]
    return found, _faults(found)


def _faults(settings: Mapping[str, Any]) -> list[Message]:
    faults: list[Message] = []
    training = settings.get("training") or {}
    if not isinstance(training, dict):
        return [_not_keys("training")]
    for key in ("batch_size", "gradient_accumulation_steps", "save_every", "max_checkpoints"):
        value = training.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            faults.append(
                message(
                    "config.whole-number",
                    "training.{key}: expected a whole number of at least 1, not {value!r}",
                    key=key,
                    value=str(value),
                )
            )
    precision = training.get("mixed_precision")
    if precision is not None and precision not in ("no", "fp16", "bf16", False):
        faults.append(
            message(
                "config.mixed-precision",
                "training.mixed_precision: expected no, fp16 or bf16, not {value!r}",
                value=str(precision),
            )
        )
    return faults


def _not_keys(where: str) -> Message:
    return message("config.not-keys", "{where}: expected keys with values", where=where)


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
