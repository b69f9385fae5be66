"""Checkpoints on disk: whole or not there, rotated only after the new one is safe.

``checkpoints/<run>/step-00000500/`` holds ``model.safetensors``, ``ema.safetensors``,
``optimizer.safetensors`` and ``state.json`` (position, settings, shape, palette). Nothing in them is code.
Randomness and data order are functions of seed and position, so the position is all the state they have.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.errors import CheckpointError

_NAME = re.compile(r"step-(\d{8,})")
#: A virus scanner may hold a fresh file for a moment on Windows.
_RENAME_TRIES = 20


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: its folder and its ``state.json``."""

    folder: Path
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return int(self.state["step"])

    def has(self, name: str) -> bool:
        """Whether there are tensors of that name."""
        return (self.folder / f"{name}.safetensors").is_file()

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return ``model``, ``ema`` or ``optimizer`` tensors by name, on the CPU."""
        try:
            return load_file(self.folder / f"{name}.safetensors")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.folder / name}.safetensors: {error}", "take an older one") from None


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a checkpoint's weights; raises CheckpointError if they are another network's."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        what = " ".join(str(error).splitlines()[1:2]).strip()
        raise CheckpointError(
            f"the checkpoint holds another network's weights: {what}",
            "another version of the trainer wrote it: use that version, or train anew (--resume none)",
        ) from None


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def save(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
        """Write a checkpoint beside the others, flush and rename it, then rotate; return its folder."""
        final = self.folder / f"step-{state['step']:08d}"
        beside = self.folder / f".{final.name}.{os.getpid()}"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, values in tensors.items():
            contiguous = {key: value.detach().contiguous() for key, value in values.items()}
            save_file(contiguous, beside / f"{name}.safetensors")
        write_json(beside / "state.json", state)
        for path in beside.iterdir():
            _flush(path)
        if final.exists():
            # The same step again, after a resume from an older checkpoint.
            _rename(final, self.folder / f".{final.name}.old")
        _rename(beside, final)
        _flush_folder(self.folder)
        self._rotate(final.name)
        return final

    def mark_best(self, step: int, score: float) -> None:
        """Keep a step's checkpoint until a better one is marked."""
        write_json(self.folder / "best.json", {"step": step, "score": score})
        self._rotate("")

    @property
    def best(self) -> Mapping[str, Any]:
        """Step and score of the best checkpoint, empty when none is marked."""
        return read_json(self.folder / "best.json") or {}

    def all(self) -> list[Checkpoint]:
        """Return complete checkpoints, oldest first."""
        found = []
        for path in self.folder.glob("step-*"):
            state = read_json(path / "state.json")
            if _NAME.fullmatch(path.name) and state is not None:
                found.append(Checkpoint(path, state))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def _rotate(self, newest: str) -> None:
        for leftover in self.folder.glob(".step-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        kept = self.all()[-self._keep :]
        for checkpoint in self.all():
            name = checkpoint.folder.name
            if checkpoint.step in (kept_one.step for kept_one in kept) or name == newest:
                continue
            if checkpoint.step != self.best.get("step"):
                shutil.rmtree(checkpoint.folder, ignore_errors=True)


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in ``path``, or the newest in a run's folder or in the folder of all runs."""
    state = read_json(path / "state.json")
    if state is not None:
        return Checkpoint(path, state)
    newest = newest_checkpoint(path) or newest_checkpoint(path.parent, only=path.name)
    if newest is None:
        raise CheckpointError(f"{path}: no checkpoint there", "name a folder step-… that has a state.json")
    return newest


def best_checkpoint(run: Path) -> Checkpoint:
    """Return the checkpoint of a run's folder with the lowest held-out loss; raises CheckpointError."""
    folder = CheckpointFolder(run, 1)
    step = folder.best.get("step")
    for checkpoint in folder.all():
        if checkpoint.step == step:
            return checkpoint
    raise CheckpointError(
        f"{run}: none of its checkpoints was marked as the best",
        "set training.eval_every, or take the newest",
    )


def newest_checkpoint(folder: Path, only: str = "") -> Checkpoint | None:
    """Return the checkpoint last written below the folder of all runs, None when there is none."""
    runs = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    found = [
        checkpoint
        for run in runs
        if not only or run.name == only
        for checkpoint in CheckpointFolder(run, 1).all()
    ]
    return max(found, key=lambda checkpoint: (checkpoint.state["saved_at"], checkpoint.step), default=None)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, None when the file is missing or is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    _flush(beside)
    _rename(beside, path)


def _rename(source: Path, target: Path) -> None:
    for attempt in range(_RENAME_TRIES):
        try:
            source.replace(target)
            return
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            time.sleep(0.1)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
