"""Hints for errors that other libraries raise."""

from __future__ import annotations

#: Part of the error's text or type -> hint; the first match is used.
_HINTS = (
    (
        "out of memory",
        "out of memory: lower training.batch_size and raise gradient_accumulation_steps by the same factor, "
        "or set model.gradient_checkpointing",
    ),
    (
        "DataLoader worker",
        "a data loader process died: lower training.num_workers, and check this node's free memory",
    ),
    (
        "by peer",
        "another rank ended, and this rank with it: see the log of the rank that ended first",
    ),
    (
        "Timed out",
        "another rank did not answer within accelerate_config.timeout: check its log, network and load",
    ),
    (
        "address already in use",
        "the master port is in use, perhaps by an earlier run: stop that run, or choose another port",
    ),
    (
        "working triton",
        "torch.compile needs triton on a GPU: set model.compile to false, or install it (on Windows, the "
        "package triton-windows)",
    ),
    (
        "working C++ compiler",
        "torch.compile needs a C++ compiler on a CPU: install one (g++), or set model.compile to false",
    ),
    ("No space left", "the disk is full: free space, or lower training.max_checkpoints"),
)


def hint_for(error: BaseException) -> str:
    """Return the hint for a known error, otherwise an empty string."""
    text = f"{type(error).__name__}: {error}".lower()
    return next((hint for part, hint in _HINTS if part.lower() in text), "")
