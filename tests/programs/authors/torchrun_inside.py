"""Starts torchrun for the processes of its own machine, as wrappers of training scripts do."""

import json
import os
import subprocess
import sys

import torch
import torch.distributed as dist

if "--inner" not in sys.argv:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    sys.exit(subprocess.run([*launcher, __file__, "--inner", os.environ["RANK"]]).returncode)
outer = int(sys.argv[2])
dist.init_process_group("gloo")
total = torch.tensor([10 ** dist.get_rank()])
dist.all_reduce(total)
result = {"outer": outer, "world": dist.get_world_size(), "total": int(total)}
with open(f"result-{2 * outer + dist.get_rank()}.json", "w") as file:
    json.dump(result, file)
dist.destroy_process_group()
