"""Checkpoint files: written atomically, and old ones are deleted only after the new one is on disk.

``checkpoints/<run>/step-00000500/`` holds ``model.safetensors``, ``ema.safetensors``,
``optimizer.safetensors`` and ``state.json`` (position, settings, model config, palette). None of them can
contain code. Randomness and data order are functions of seed and position, so they need no further state.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.errors import CheckpointError

_NAME = re.compile(r"step-(\d{8,})")
#: On Windows, a virus scanner may keep a new file open for a moment.
_RENAME_TRIES = 20


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: its folder and the content of its ``state.json``."""

    folder: Path
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Completed optimizer steps."""
        return int(self.state["step"])

    def has_tensors(self, name: str) -> bool:
        """Return whether the checkpoint has a file of these tensors."""
        return (self.folder / f"{name}.safetensors").is_file()

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of ``model``, ``ema``, ``optimizer`` or ``outer`` on the CPU, by name."""
        try:
            return load_file(self.folder / f"{name}.safetensors")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"{self.folder / name}.safetensors: {error}", "use an older checkpoint"
            ) from None


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a checkpoint's weights; raises CheckpointError if they do not match the network."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        detail = " ".join(str(error).splitlines()[1:2]).strip()
        raise CheckpointError(
            f"the checkpoint's weights do not match the network: {detail}",
            "another version of the trainer wrote it: use that version, or --resume none",
        ) from None


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def save(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
        """Write a checkpoint, delete old ones, and return its folder."""
        final = self.folder / f"step-{state['step']:08d}"
        temporary = self.folder / f".{final.name}.{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, values in tensors.items():
            contiguous = {key: value.detach().contiguous() for key, value in values.items()}
            save_file(contiguous, temporary / f"{name}.safetensors")
        write_json(temporary / "state.json", state)
        for path in temporary.iterdir():
            _fsync(path)
        if final.exists():
            # The run resumed from an older checkpoint and reached this step again.
            _rename(final, self.folder / f".{final.name}.old")
        _rename(temporary, final)
        _fsync_folder(self.folder)
        self._delete_old(final.name)
        return final

    def mark_best(self, step: int, score: float) -> None:
        """Record a step's checkpoint as the best; it is kept until a better one is recorded."""
        write_json(self.folder / "best.json", {"step": step, "score": score})
        self._delete_old("")

    @property
    def best(self) -> Mapping[str, Any]:
        """Step and score of the best checkpoint, empty if none is recorded."""
        return read_json(self.folder / "best.json") or {}

    def all(self) -> list[Checkpoint]:
        """Return the complete checkpoints, oldest first."""
        found = []
        for path in self.folder.glob("step-*"):
            state = read_json(path / "state.json")
            if _NAME.fullmatch(path.name) and state is not None:
                found.append(Checkpoint(path, state))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def _delete_old(self, newest: str) -> None:
        for incomplete in self.folder.glob(".step-*"):
            shutil.rmtree(incomplete, ignore_errors=True)
        checkpoints = self.all()
        kept_steps = {checkpoint.step for checkpoint in checkpoints[-self._keep :]} | {self.best.get("step")}
        for checkpoint in checkpoints:
            if checkpoint.step not in kept_steps and checkpoint.folder.name != newest:
                shutil.rmtree(checkpoint.folder, ignore_errors=True)


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in ``path``: a checkpoint's folder, or the newest of a run or of all runs."""
    state = read_json(path / "state.json")
    if state is not None:
        return Checkpoint(path, state)
    newest = newest_checkpoint(path) or _saved_last(CheckpointStore(path, 1).all())
    if newest is None:
        raise CheckpointError(
            f"{path}: no checkpoint found", "name a folder step-… that contains a state.json"
        )
    return newest


def best_checkpoint(run: Path) -> Checkpoint:
    """Return the checkpoint of a run with the lowest held-out loss; raises CheckpointError."""
    store = CheckpointStore(run, 1)
    step = store.best.get("step")
    for checkpoint in store.all():
        if checkpoint.step == step:
            return checkpoint
    raise CheckpointError(
        f"{run}: no checkpoint is recorded as the best",
        "set training.eval_every, or use the newest",
    )


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint that was saved last in the folder of all runs, None if there is none."""
    runs = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return _saved_last(checkpoint for run in runs for checkpoint in CheckpointStore(run, 1).all())


def _saved_last(checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    return max(
        checkpoints, key=lambda checkpoint: (checkpoint.state["saved_at"], checkpoint.step), default=None
    )


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, None if the file is missing or contains none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object atomically."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    _fsync(temporary)
    _rename(temporary, path)


def _rename(source: Path, target: Path) -> None:
    for attempt in range(_RENAME_TRIES):
        try:
            source.replace(target)
            return
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            time.sleep(0.1)


def _fsync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _fsync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
