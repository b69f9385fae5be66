"""The pairs that a run is evaluated on: those of ``data/val``, or a part of the training pairs without it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.pair_dataset import PairDataset, PairSubset

#: Without data/val, one training pair in this many is held out.
HELD_OUT_SHARE = 20
#: The rule in words, as logs and documents state it.
RULE = "5% of the pairs, at least 1, chosen by a hash of their names"


@dataclass(frozen=True)
class SplitPairs:
    """The pairs that a run trains on, and the pairs that it is evaluated on."""

    train: PairDataset
    #: None if there is neither a data/val nor a training pair to spare.
    held_out: PairDataset | None
    #: Which pairs are held out: ``val``, ``split DIGEST`` (some of data/train) or ``none``. A checkpoint
    #: keeps it, because another choice may hold out pairs that the checkpoint was trained on.
    identity: str


def hold_out(dataset: PairDataset) -> SplitPairs:
    """Split the training pairs by the rule; a dataset of one pair is left whole."""
    held_out = held_out_rows(dataset.stems)
    if not len(held_out):
        return SplitPairs(dataset, None, "none")
    rows = np.setdiff1d(np.arange(len(dataset)), held_out)
    chosen = PairSubset(dataset, held_out)
    digest = hashlib.blake2b(
        repr((dataset.digest, chosen.stems)).encode("utf-8", "surrogatepass"), digest_size=16
    )
    return SplitPairs(PairSubset(dataset, rows), chosen, f"split {digest.hexdigest()}")


def held_out_rows(stems: Sequence[str]) -> NDArray[np.int64]:
    """Return ascending indices of the held-out pairs, whose names have the smallest BLAKE2b digests.

    The choice depends on the names only, so all ranks and resumed runs agree, and pairs that are added later
    change little of it.
    """
    count = max(1, len(stems) // HELD_OUT_SHARE) if len(stems) > 1 else 0
    digests = [
        hashlib.blake2b(stem.encode("utf-8", "surrogatepass"), digest_size=8).digest() for stem in stems
    ]
    chosen = sorted(range(len(stems)), key=lambda row: (digests[row], stems[row]))[:count]
    return np.array(sorted(chosen), np.int64)
