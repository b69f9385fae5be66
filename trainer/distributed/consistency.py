"""Checks before the first step that the ranks train one model, with the same program and data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

import trainer
from trainer.distributed.context import DistributedContext
from trainer.errors import DataError, NotDistributedError
from trainer.settings import Settings

#: Options that may differ between nodes.
_NODE_OPTIONS = {
    "data.root", "data.cache", "data.cache_folder", "data.cache_limit_gb", "model.pretrained", "paths.logs",
    "paths.checkpoints",
    "training.num_workers", "training.pin_memory", "training.persistent_workers",
}  # fmt: skip


def check_same_program(context: DistributedContext, settings: Settings, node: str) -> None:
    """Raise NotDistributedError if the ranks have different options, code or torch versions."""
    digests = context.all_gather((_program_digest(settings), node))
    different = _differing_nodes(digests)
    if different:
        raise NotDistributedError(
            "configuration and trainer code differ between nodes: "
            f"{', '.join(different)} against {digests[0][1]} (rank 0)",
            "deploy again to all nodes",
        )


def check_same_data(context: DistributedContext, digest: str, node: str) -> None:
    """Raise DataError if the ranks have different training data."""
    digests = context.all_gather((digest, node))
    different = _differing_nodes(digests)
    if different:
        raise DataError(
            f"the training data of {', '.join(different)} differs from that of {digests[0][1]} (rank 0)",
            "copy the same data folder, val included, to every node",
        )


def check_model_is_wrapped(context: DistributedContext, model: nn.Module) -> None:
    """Raise NotDistributedError if there are several ranks and their gradients would not be averaged."""
    if context.world_size > 1 and not isinstance(model, nn.parallel.DistributedDataParallel):
        raise NotDistributedError(
            "the model is not wrapped for data-parallel training: each rank would train its own model",
            "set distributed_type to MULTI_GPU",
        )


def _differing_nodes(digests: list[tuple[str, str]]) -> list[str]:
    """Return the nodes whose digest differs from that of rank 0."""
    return sorted({node for digest, node in digests if digest != digests[0][0]})


def _program_digest(settings: Settings) -> str:
    """Return a digest of the options that must agree, of this package's code, and of torch's version."""
    options = settings.by_dotted_name()
    common = sorted((name, value) for name, value in options.items() if name not in _NODE_OPTIONS)
    digest = hashlib.blake2b(repr(common).encode(), digest_size=16)
    root = Path(trainer.__file__).parent
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    for name, path in sorted(files.items()):
        # Line endings may differ between a checkout on Windows and one on Linux.
        digest.update(name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    digest.update(torch.__version__.split("+")[0].encode())
    return digest.hexdigest()
