"""Forks ranks into network namespaces for benchmarks/preflight.py: torch is imported once, not 150 times.

Reads ``{"number", "ranks": [{"namespace", "interface", "master"}]}`` a line, answers ``{"number",
"started"}`` a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from datetime import timedelta

import torch
import torch.distributed as dist

_NEW_NET = 0x40000000
_SECONDS = 15.0


def rank(number: int, world: int, namespace: str, interface: str, master: str) -> None:
    """Join, all-reduce, leave; the exit status is the result."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    descriptor = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    if ctypes.CDLL(None).setns(descriptor, _NEW_NET) != 0:
        os._exit(3)
    os.environ.update(
        RANK=str(number), WORLD_SIZE=str(world), MASTER_ADDR=master, MASTER_PORT="29500",
        GLOO_SOCKET_IFNAME=interface, USE_LIBUV="0",
    )  # fmt: skip
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=_SECONDS - 3))
        value = torch.ones(1000)
        dist.all_reduce(value)
        good = float(value[0]) == world
        dist.barrier()
    except Exception:  # noqa: BLE001 -- after any exception the ranks did not join
        good = False
    os._exit(0 if good else 1)


def form(command: dict[str, object], lock: threading.Lock) -> None:
    """Wait for one group of ranks and answer."""
    pids: list[int] = command["pids"]  # type: ignore[assignment]
    codes: dict[int, int] = {}
    deadline = time.monotonic() + _SECONDS + 5
    while len(codes) < len(pids) and time.monotonic() < deadline:
        for pid in pids:
            if pid not in codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    codes[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    for pid in pids:
        if pid not in codes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    started = len(codes) == len(pids) and not any(codes.values())
    with lock:
        print(json.dumps({"number": command["number"], "started": started}), flush=True)


def main() -> None:
    """Serve until stdin ends."""
    torch.set_num_threads(1)
    lock = threading.Lock()
    for line in sys.stdin:
        command = json.loads(line)
        ranks = command["ranks"]
        command["pids"] = pids = []
        for number, one in enumerate(ranks):
            pid = os.fork()
            if pid == 0:
                rank(number, len(ranks), one["namespace"], one["interface"], one["master"])
            pids.append(pid)
        threading.Thread(target=form, args=(command, lock), daemon=True).start()


if __name__ == "__main__":
    main()
