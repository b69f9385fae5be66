"""A rank that times steps of a small model: alone first, then as DDP over gloo. Prints one JSON line."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from datetime import timedelta


def main(width: int, layers: int, steps: int, wire: str) -> None:
    import torch
    import torch.distributed as dist
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(width, width, bias=False) for _ in range(layers)))
    batch = torch.randn(8, width)

    def timed(network: torch.nn.Module, count: int) -> float:
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
        seconds = []
        for _ in range(count):
            begun = time.perf_counter()
            optimizer.zero_grad()
            network(batch).square().mean().backward()
            optimizer.step()
            seconds.append(time.perf_counter() - begun)
        return statistics.median(seconds[1:])

    alone = timed(model, 6)
    dist.init_process_group("gloo", timeout=timedelta(seconds=240))
    spread = DistributedDataParallel(model)
    if wire == "fp16":
        spread.register_comm_hook(None, fp16_compress_hook)
    together = timed(spread, steps)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(json.dumps({"alone": alone, "together": together, "parameters": parameters}), flush=True)
    dist.barrier()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
