"""What a person can do about errors that come from below us."""

from __future__ import annotations

#: Part of the error's text or type -> advice; the first match counts.
_HINTS = (
    (
        "out of memory",
        "memory is full: lower training.batch_size and raise gradient_accumulation_steps by as much, or set "
        "model.gradient_checkpointing",
    ),
    (
        "DataLoader worker",
        "a loader process has died: lower training.num_workers, and look at the machine's free memory",
    ),
    (
        "by peer",
        "another rank has ended, and this one with it: the log of the rank that ended first says why",
    ),
    (
        "Timed out",
        "another rank did not answer within accelerate_config.timeout: look at its log, network and load",
    ),
    (
        "address already in use",
        "the master's port is taken, perhaps by an earlier run: end that, or choose another port",
    ),
    (
        "working triton",
        "torch.compile needs triton on a GPU, which torch for Windows lacks: set model.compile to false, or "
        "install it",
    ),
    (
        "working C++ compiler",
        "torch.compile needs a C++ compiler on a CPU: install one (g++), or set model.compile to false",
    ),
    ("No space left", "the disk is full: free some, or lower training.max_checkpoints"),
)


def hint(error: BaseException) -> str:
    """Return advice for a known error, else an empty text."""
    told = f"{type(error).__name__}: {error}".lower()
    return next((advice for part, advice in _HINTS if part.lower() in told), "")
