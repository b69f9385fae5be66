"""Writes the recordings that the screens are tested with: ``python -m tests.console.record``.

Each is what a fleet would have told, with times counted from START.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

from fleet.events import (
    CheckFinished,
    CopyProgressed,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    LogChunk,
    MetricsSeen,
    NodeDeployed,
    NodeProbed,
    Notice,
    RankExited,
    RankPhase,
    RankPlan,
    RankStarted,
    RunFinished,
    RunPlanned,
    StageChanged,
    TelemetrySampled,
    to_json,
)
from tests.console.record_ways import ways

FOLDER = Path(__file__).parent / "recordings"
START = 1_800_000_000.0
RUN = "r-0915-7f3a"
GIB = 2**30

#: Node -> (address, GPUs, kind of GPU, memory in GiB, system).
NODES = {
    "master": ("192.168.1.100", 4, "NVIDIA GeForce RTX 4090", 24, "Windows 11 Pro"),
    "gpu1": ("192.168.1.101", 4, "NVIDIA GeForce RTX 4090", 24, "Windows 11 Pro"),
    "gpu2": ("192.168.1.102", 8, "NVIDIA RTX A6000", 48, "Windows Server 2022"),
    "연구실-3": ("192.168.1.103", 2, "NVIDIA GeForce RTX 3080", 10, "Windows 10 Education"),
    "gpu4": ("192.168.1.104", 0, "", 0, ""),
}


def facts(node: str, index: int) -> dict[str, object]:
    address, count, kind, memory, system = NODES[node]
    return {
        "os": {"name": system, "system": "Windows", "build": "10.0.22631", "version": "10.0"},
        "cpu": {"model": "AMD Ryzen Threadripper PRO 5975WX", "cores": 32, "threads": 64, "usable": 64},
        "ram": {"total": 256 * GIB, "free": 201 * GIB},
        "disk": {"path": "D:\\ml-project", "total": 2000 * GIB, "free": (820 - 270 * index) * GIB},
        "python": {"version": "3.11.9", "executable": "C:\\Python311\\python.exe", "bits": 64},
        "gpus": [
            {"index": i, "name": kind, "memory_total": memory * GIB, "driver": "566.36"} for i in range(count)
        ],
        "adapters": [
            {
                "name": "이더넷 2" if index == 3 else "Ethernet",
                "interfaces": [f"{address}/24"],
                "up": True,
                "loopback": False,
                "speed_mbps": 10_000,
                "route": True,
            }
        ],
    }


def sample(node: str, index: int, second: int, busy: bool) -> dict[str, object]:
    dice = random.Random(index * 1000 + second)
    _, count, kind, memory, _ = NODES[node]
    gpus = []
    for i in range(count):
        util = (
            min(100, max(0, round(93 + 6 * math.sin(second / 5 + i) - (35 if index == 3 else 0))))
            if busy
            else 0
        )
        gpus.append(
            {
                "index": i,
                "name": kind,
                "util": util + dice.randint(-3, 0) if busy else 0,
                "memory_used": (0.82 if busy else 0.03) * memory * GIB,
                "memory_total": memory * GIB,
                "power": 388.0 if busy else 31.0,
                "power_cap": 450.0,
                "temperature": 71 + i if busy else 38,
                "clock": 2520,
                "processes": [{"pid": pid, "name": "python.exe"} for pid in _pids(node, i)] if busy else [],
            }
        )
    return {
        "gpus": gpus,
        "cpu": {"util": 37.0 + index if busy else 4.0},
        "ram": {"used": 96 * GIB, "total": 256 * GIB},
        "network": {
            "speed_mbps": 10_000,
            "rx": 612 * 2**20 if busy else 2_000,
            "tx": 598 * 2**20 if busy else 1_500,
        },
    }


def _pids(node: str, gpu: int) -> list[int]:
    return [4200 + plan.rank for plan in ranks() if (plan.node, plan.local_rank) == (node, gpu)]


def links(reached: int = 4, at: float = 0.0) -> Iterator[Event]:
    for index, node in enumerate(list(NODES)[:reached]):
        kind = "local" if index == 0 else "winrm" if index == 3 else "ssh"
        latency = 0.1 if index == 0 else 0.8 + index
        yield LinkChanged(node=node, at=START + at, state="up", transport=kind, latency_ms=latency)
        yield NodeProbed(node=node, at=START + at + 0.2, facts=facts(node, index))


def unreachable() -> Iterator[Event]:
    yield LinkChanged(
        node="gpu4",
        at=START + 3,
        state="failed",
        transport="ssh",
        detail="192.168.1.104 does not answer on port 22 (timeout after 10 s)",
        remedy="Is the machine on, and has worker_setup.ps1 been run there? `ping 192.168.1.104` tells more.",
    )
    yield Notice(
        node="gpu4",
        at=START + 3,
        level="error",
        text="no connection",
        remedy="Switch it on, or take it out of nodes.yaml.",
    )


def nodes_busy() -> Iterator[Event]:
    yield from links()
    for second in range(30):
        for index, node in enumerate(list(NODES)[:4]):
            yield TelemetrySampled(node=node, at=START + second, sample=sample(node, index, second, False))
    yield LinkChanged(node="gpu4", at=START + 1, state="connecting", transport="ssh")


def nodes_error() -> Iterator[Event]:
    yield from links(3)
    yield LinkChanged(
        node="연구실-3",
        at=START + 40,
        state="lost",
        transport="winrm",
        detail="the connection was reset",
        remedy="dtui connects again by itself; a run on this node goes on.",
    )
    yield from unreachable()


_PLAN = [
    ("trainer/model.py", "replace", 14_208),
    ("trainer/train.py", "replace", 9_811),
    ("configs/train_config.yaml", "replace", 1_204),
    ("data/train/input_text/평면도_0001.txt", "add", 1_551),
    ("data/train/label_floorplan/평면도_0001.png", "add", 3_870),
    ("old/notes.txt", "delete", 412),
]


def deploy_busy() -> Iterator[Event]:
    yield from links()
    total = 412 * 2**20
    shares = {"master": 1.0, "gpu1": 0.86, "gpu2": 0.41, "연구실-3": 0.12}
    for index, node in enumerate(shares):
        yield StageChanged(node=node, at=START + 5, stage="connect", state="running")
        yield StageChanged(node=node, at=START + 5.4 + index / 10, stage="connect", state="done")
        yield StageChanged(node=node, at=START + 5.5, stage="compare", state="running")
        yield StageChanged(node=node, at=START + 6.3, stage="compare", state="done", detail="2,406 files")
        if node == "master":
            yield StageChanged(
                node=node, at=START + 6.3, stage="copy", state="skipped", detail="already here"
            )
            yield StageChanged(
                node=node, at=START + 6.4, stage="environment", state="running", detail="uv sync"
            )
            for line in (
                "Resolved 48 packages in 12ms",
                "Downloading torch (2.4GiB)",
                "   Building dtui @ file:///D:/ml-project",
                " + accelerate==1.15.0",
                " + numpy==2.2.1",
            ):
                yield EnvironmentOutput(node=node, at=START + 7, text=line + "\n")
            continue
        done = int(total * shares[node])
        yield StageChanged(node=node, at=START + 6.4, stage="copy", state="running")
        yield CopyProgressed(
            node=node,
            at=START + 9,
            files_done=int(2406 * shares[node]),
            files_total=2406,
            bytes_done=done,
            bytes_total=total,
            rate=(118 - 30 * index) * 2**20,
            eta=(total - done) / ((118 - 30 * index) * 2**20),
        )
    yield StageChanged(node="gpu4", at=START + 5, stage="connect", state="running")


def deploy_plan() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[1:4]:
        yield StageChanged(node=node, at=START + 5, stage="connect", state="running")
        yield StageChanged(node=node, at=START + 5.4, stage="connect", state="done")
        yield StageChanged(node=node, at=START + 5.4, stage="compare", state="running")
        for path, action, size in _PLAN:
            yield FileChange(node=node, at=START + 5.6, path=path, action=action, size=size)
        yield StageChanged(node=node, at=START + 5.8, stage="compare", state="done")


def deploy_error() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[:3]:
        for stage in ("connect", "compare", "copy", "environment", "configure"):
            yield StageChanged(node=node, at=START + 5, stage=stage, state="running")
            yield StageChanged(node=node, at=START + 7, stage=stage, state="done")
        sent = 0 if node == "master" else 2406
        yield NodeDeployed(node=node, at=START + 20, ok=True, files_sent=sent, bytes_sent=sent * 180_000)
    node = "연구실-3"
    for stage in ("connect", "compare"):
        yield StageChanged(node=node, at=START + 5, stage=stage, state="running")
        yield StageChanged(node=node, at=START + 6, stage=stage, state="done")
    yield StageChanged(node=node, at=START + 6, stage="copy", state="running")
    yield CopyProgressed(
        node=node,
        at=START + 9,
        files_done=511,
        files_total=2406,
        bytes_done=88 * 2**20,
        bytes_total=412 * 2**20,
    )
    text = "the disk is full: 324.0 MiB more are needed in D:\\ml-project, 12.4 MiB are free"
    remedy = "Free some space on that disk, or give the node another `project` folder. The old tree is whole."
    yield StageChanged(node=node, at=START + 9, stage="copy", state="failed", detail=text, remedy=remedy)
    yield NodeDeployed(node=node, at=START + 9, ok=False, detail=text, remedy=remedy)
    yield StageChanged(node="gpu4", at=START + 5, stage="connect", state="running")
    yield StageChanged(
        node="gpu4",
        at=START + 15,
        stage="connect",
        state="failed",
        detail="192.168.1.104 does not answer on port 22 (timeout after 10 s)",
        remedy="Is the machine on?",
    )
    yield NodeDeployed(node="gpu4", at=START + 15, ok=False, detail="no connection")


def ranks() -> tuple[RankPlan, ...]:
    placed = [(node, i) for node in list(NODES)[:4] for i in range(min(2, NODES[node][1]))]
    return tuple(RankPlan(node=node, rank=rank, local_rank=i) for rank, (node, i) in enumerate(placed))


class Logs:
    """Keeps the offset of each rank's log."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}

    def line(self, rank: int, text: str, at: float, encoding: str = "utf-8") -> Event:
        data = (text + "\n").encode(encoding)
        offset = self._offsets.get(rank, 0)
        self._offsets[rank] = offset + len(data)
        return LogChunk(node=ranks()[rank].node, run=RUN, rank=rank, offset=offset, data=data, at=START + at)


def started(logs: Logs) -> Iterator[Event]:
    yield from links()
    yield RunPlanned(
        at=START + 60,
        run=RUN,
        world_size=8,
        master_address="192.168.1.100",
        master_port=29500,
        ranks=ranks(),
        command="python -m trainer --config configs/train_config.yaml",
        config_digest="9f3a61c07be2",
        code_digest="51c0ffee7a10",
    )
    for plan in ranks():
        rank, node = plan.rank, plan.node
        yield RankStarted(node=node, at=START + 61, run=RUN, rank=rank, pid=4200 + rank)
        yield logs.line(rank, "Initializing distributed training...", 61.5)
        yield RankPhase(node=node, at=START + 62, run=RUN, rank=rank, phase="importing")
        yield RankPhase(node=node, at=START + 64, run=RUN, rank=rank, phase="joining")
        yield logs.line(rank, f"Rank {rank}/8 initialized", 66 + rank / 10)
        yield RankPhase(node=node, at=START + 67, run=RUN, rank=rank, phase="joined")
        yield logs.line(rank, "All processes joined successfully", 67.5)
    warning = "C:\\ml-project\\.venv\\Lib\\site-packages\\torch\\nn\\modules\\conv.py:456: UserWarning: "
    yield logs.line(6, warning + "경고: 확장자 .txt 파일 3개를 건너뜁니다", 68, "cp949")
    yield logs.line(0, "Training started with 8 GPUs across 4 nodes", 69)


def steps(logs: Logs, until: int) -> Iterator[Event]:
    for number in range(10, until + 1, 10):
        at = 70 + number * 0.42
        for plan in ranks():
            rank = plan.rank
            dice = random.Random(number * 100 + rank)
            loss = 0.31 + 2.4 * math.exp(-number / 180) + dice.uniform(-0.04, 0.04)
            slow = 0.11 if plan.node == "연구실-3" else 0.0
            record = {
                "kind": "step",
                "step": number,
                "steps": 2000,
                "loss": round(loss, 4),
                "lr": 3e-4,
                "samples_s": round(152.0 + dice.uniform(-3, 3), 1),
                "step_time": round(0.42 + slow + dice.uniform(-0.01, 0.01), 3),
                "data_time": 0.02,
                "comm_time": round(0.12 - slow / 2, 3),
                "mem_gb": 19.6,
                "eta_s": (2000 - number) * 0.42,
            }
            yield MetricsSeen(node=plan.node, at=START + at, run=RUN, rank=rank, record=record)
            text = f"step {number:>5}/2000  loss {loss:.4f}  lr 3.00e-04  {record['samples_s']} samples/s"
            yield logs.line(rank, text, at)
        if number % 250 == 0:
            record = {"kind": "ckpt", "step": number, "path": f"checkpoints/step-{number}"}
            yield MetricsSeen(node="master", at=START + at, run=RUN, rank=0, record=record)
            yield logs.line(0, f"checkpoint checkpoints/step-{number} saved (632 MiB, 1.2 s)", at)
    for second in range(60):
        for index, node in enumerate(list(NODES)[:4]):
            when = START + 70 + until * 0.42 - 60 + second
            yield TelemetrySampled(node=node, at=when, sample=sample(node, index, second, True))


def monitor_busy() -> Iterator[Event]:
    logs = Logs()
    yield from started(logs)
    yield from steps(logs, 700)


_TRACE = """Traceback (most recent call last):
  File "D:\\ml-project\\trainer\\train.py", line 214, in <module>
    main()
  File "D:\\ml-project\\trainer\\train.py", line 187, in main
    loss = model(batch["image"], batch["text"])
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.25 GiB. GPU 1 has a total capacity \
of 10.00 GiB of which 212.00 MiB is free."""


def monitor_error() -> Iterator[Event]:
    logs = Logs()
    yield from started(logs)
    yield from steps(logs, 320)
    for line in _TRACE.split("\n"):
        yield logs.line(7, line, 205)
    yield RankExited(node="연구실-3", at=START + 206, run=RUN, rank=7, code=1)
    for plan in ranks()[:7]:
        yield logs.line(plan.rank, "RuntimeError: Connection closed by peer [192.168.1.103]:51234", 206.2)
        yield RankExited(node=plan.node, at=START + 207, run=RUN, rank=plan.rank, code=15, stopped=True)
    yield RunFinished(
        at=START + 208,
        run=RUN,
        outcome="failed",
        cause="rank 7 on 연구실-3 ran out of GPU memory (10.0 GiB, batch_size 8); the others were stopped",
        remedy="Lower batch_size, or raise gradient_accumulation_steps. Restart from step 250: R in mode 5.",
    )


CHECKS = (
    "ping",
    "ssh",
    "winrm",
    "login",
    "python",
    "29500",
    "29501",
    "29502",
    "29503",
    "29504",
    "gpu",
    "disk",
)


def preflight_busy() -> Iterator[Event]:
    yield from links()
    for index, node in enumerate(NODES):
        for number, check in enumerate(CHECKS):
            if index == 4 and number:
                break
            if index == 3 and number > 6:
                break
            yield CheckFinished(
                node=node, at=START + number, check=check, status="ok", seen="as it should be"
            )
    yield from ways(list(NODES)[:3], START + 8)


def preflight_error() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[:4]:
        for check in CHECKS:
            yield CheckFinished(node=node, at=START + 5, check=check, status="ok", seen="as it should be")
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="29500",
        status="fail",
        seen="gpu1 and gpu2 get no answer on 192.168.1.103:29500; the firewall drops the packets",
        why="Ranks meet on this port: the run would wait 30 minutes in silence and then fail.",
        remedy="New-NetFirewallRule -DisplayName dtui -Direction Inbound -Protocol TCP "
        "-LocalPort 29500-29504 -RemoteAddress 192.168.1.0/24 -Action Allow",
    )
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="disk",
        status="warn",
        seen="10.0 GiB free in D:\\ml-project, a checkpoint takes 0.6 GiB",
        why="20 checkpoints would not fit.",
        remedy="Lower max_checkpoints, or free some space.",
    )
    yield CheckFinished(node="gpu2", at=START + 6, check="winrm", status="skip", seen="not used: ssh answers")
    yield CheckFinished(
        node="gpu4",
        at=START + 6,
        check="ping",
        status="fail",
        seen="no answer to 4 pings in 4 s",
        why="Nothing else can be checked.",
        remedy="Is the machine on? Does it sleep? Is the address right?",
    )
    for check in CHECKS[1:]:
        yield CheckFinished(
            node="gpu4", at=START + 6, check=check, status="skip", seen="the node is not reached"
        )
    dropped = {"29500": "dropped"}
    closed = {("gpu1", "연구실-3"): dropped, ("gpu2", "연구실-3"): dropped}
    closed["연구실-3", "gpu1"] = {"29503": "refused", "29504": "refused"}
    yield from ways(
        list(NODES)[:4], START + 7, closed, {"master": 1170, "gpu1": 1170, "gpu2": 1170, "연구실-3": 117.5}
    )


RECORDINGS = {
    "nodes_busy": nodes_busy,
    "nodes_error": nodes_error,
    "preflight_busy": preflight_busy,
    "preflight_error": preflight_error,
    "deploy_busy": deploy_busy,
    "deploy_plan": deploy_plan,
    "deploy_error": deploy_error,
    "monitor_busy": monitor_busy,
    "monitor_error": monitor_error,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, events in RECORDINGS.items():
        text = "".join(to_json(event) + "\n" for event in events())
        (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
