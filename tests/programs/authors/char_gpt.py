"""A character model in the style of small GPT repositories: settings are globals that a file and the command
line replace, data is a memory map, rank 0 writes the checkpoint."""

import json
import os
import sys
from contextlib import nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

out_dir = "out"
dataset = "letters"
batch_size = 8
block_size = 16
max_iters = 5
learning_rate = 1e-3
accumulation = 1
for word in sys.argv[1:]:
    if word.startswith("--"):
        name, value = word[2:].split("=")
        globals()[name] = type(globals()[name])(value)
    else:
        with open(word) as settings:
            exec(settings.read())


class Model(torch.nn.Module):
    def __init__(self, letters: int, width: int = 32) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(letters, width)
        self.place = torch.nn.Parameter(torch.zeros(block_size, width))
        self.block = torch.nn.TransformerEncoderLayer(width, 2, 64, dropout=0.0, batch_first=True)
        self.head = torch.nn.Linear(width, letters)

    def forward(self, tokens: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        mask = torch.nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        found = self.head(self.block(self.embed(tokens) + self.place, src_mask=mask))
        return cross_entropy(found.flatten(0, 1), wanted.flatten())


distributed = int(os.environ.get("RANK", -1)) != -1
rank = int(os.environ.get("RANK", 0))
if distributed:
    dist.init_process_group("gloo")
torch.manual_seed(1337 + rank)
tokens = np.memmap(os.path.join("data", dataset, "train.bin"), dtype=np.uint16, mode="r")
model: torch.nn.Module = Model(int(tokens.max()) + 1)
if distributed:
    model = DistributedDataParallel(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
losses = []
for _ in range(max_iters):
    for micro in range(accumulation):
        places = torch.randint(len(tokens) - block_size, (batch_size,))
        rows = torch.stack(
            [torch.from_numpy(tokens[i : i + block_size + 1].astype(np.int64)) for i in places]
        )
        last = micro == accumulation - 1
        with nullcontext() if last or not distributed else model.no_sync():  # type: ignore[operator]
            loss = model(rows[:, :-1], rows[:, 1:]) / accumulation
            loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    shown = loss.detach() * accumulation
    if distributed:
        dist.all_reduce(shown, dist.ReduceOp.AVG if dist.get_backend() == "nccl" else dist.ReduceOp.SUM)
        shown /= dist.get_world_size()
    losses.append(float(shown))
    if rank == 0:
        print(f"iter {len(losses)}: loss {losses[-1]:.4f}", flush=True)
if rank == 0:
    os.makedirs(out_dir, exist_ok=True)
    torch.save({"model": model.state_dict(), "losses": losses}, os.path.join(out_dir, "ckpt.pt"))
sample = next(model.parameters()).detach().flatten()[:8].tolist()
result = {"world": dist.get_world_size() if distributed else 1, "losses": losses, "weights": sample}
with open(f"result-{rank}.json", "w") as file:
    json.dump(result, file)
if distributed:
    dist.destroy_process_group()
