"""One process a machine is launched, and spawns its workers itself with torch.multiprocessing."""

import json
import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

WORKERS = 2


def work(local: int, machine: int, machines: int) -> None:
    rank, world = machine * WORKERS + local, machines * WORKERS
    dist.init_process_group("gloo", rank=rank, world_size=world)
    total = torch.tensor([10**rank])
    dist.all_reduce(total)
    with open(f"result-{rank}.json", "w") as file:
        json.dump({"world": world, "total": int(total), "pid": os.getpid()}, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(work, args=(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])), nprocs=WORKERS)
