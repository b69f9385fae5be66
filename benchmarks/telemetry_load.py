"""GPU loads for the telemetry benchmark, each in a separate process: ``matmul`` and ``training``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch


def matmul() -> Callable[[], None]:
    """Products of large bf16 matrices, one after the other: a GPU at 100 %."""
    left = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    right = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)

    def step() -> None:
        for _ in range(20):
            torch.mm(left, right)
        torch.cuda.synchronize()

    return step


def training() -> Callable[[], None]:
    """Steps of a small transformer: data made on the CPU, copied, forward, backward, optimizer, loss read."""
    layer = torch.nn.TransformerEncoderLayer(1024, 16, 4096, batch_first=True, norm_first=True)
    model = torch.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        batch = torch.randn(32, 256, 1024).pin_memory().cuda(non_blocking=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(batch).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def main() -> None:
    """Print ``ready``, then work; each line on stdin gets the steps and seconds since the last."""
    step = {"matmul": matmul, "training": training}[sys.argv[1]]()
    for _ in range(3):
        step()
    print("ready", flush=True)
    import threading

    done, ended = [0], threading.Event()

    def answer() -> None:
        last, then = done[0], time.perf_counter()
        for _ in sys.stdin:
            now, steps = time.perf_counter(), done[0]
            print(steps - last, now - then, flush=True)
            last, then = steps, now
        ended.set()

    threading.Thread(target=answer, daemon=True).start()
    while not ended.is_set():
        step()
        done[0] += 1


if __name__ == "__main__":
    main()
