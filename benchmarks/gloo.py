"""What gloo makes of 42 million gradients between ranks of one machine, by the numbers' kind.

    python -m torch.distributed.run --standalone --nproc-per-node=2 benchmarks/gloo.py

The numbers are on the CPU, in seven buckets as S/16 has them. One JSON line a kind.
"""

from __future__ import annotations

import json
import statistics
import time

import torch
import torch.distributed as dist

_NUMBERS, _BUCKETS, _TIMES = 42_000_000, 7, 7


def seconds(kind: torch.dtype) -> float:
    """Return the median time of one exchange of all buckets."""
    buckets = [torch.zeros(_NUMBERS // _BUCKETS, dtype=kind) for _ in range(_BUCKETS)]
    taken = []
    for _ in range(_TIMES):
        dist.barrier()
        begun = time.perf_counter()
        for work in [dist.all_reduce(bucket, async_op=True) for bucket in buckets]:
            work.wait()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def main() -> None:
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    alone = 0.0
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        took = seconds(kind)
        alone = alone or took
        if dist.get_rank() == 0:
            figures = {
                "kind": str(kind),
                "ms": round(took * 1000, 1),
                "of_fp32": round(took / alone, 2),
                "gigabytes_s": round(_NUMBERS * kind.itemsize / took / 1e9, 2),
            }
            print(json.dumps(figures), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
