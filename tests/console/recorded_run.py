"""What the monitor is tested with: a run that trains, and one that runs out of memory."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from agent.wire.message import message
from fleet.events import (
    Event,
    LogChunk,
    MetricsSeen,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunPlanned,
    TelemetrySampled,
)
from tests.console.recorded_fleet import NODES, START, links, ranks, sample
from tests.support import wire

RUN = "r-0915-7f3a"


class Logs:
    """Keeps the offset of each rank's log."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}

    def line(self, rank: int, text: str, at: float, encoding: str = "utf-8") -> Event:
        data = (text + "\n").encode(encoding)
        offset = self._offsets.get(rank, 0)
        self._offsets[rank] = offset + len(data)
        return LogChunk(node=ranks()[rank].node, run=RUN, rank=rank, offset=offset, data=data, at=START + at)


OUT_OF_MEMORY = message(
    "run.failed-diagnosed",
    "{failure}: {cause} ({line!r})",
    failure=message(
        "run.rank-exited",
        "rank {rank} ({node}) ended with {exit}",
        rank=7,
        node="연구실-3",
        exit=message("exit.code", "exit code {code}", code=1),
    ),
    cause=message("diagnosis.out-of-gpu-memory.cause", "the GPU's memory is full"),
    line="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.25 GiB.",
)


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
            rate = round(152.0 + dice.uniform(-3, 3), 1)
            record = wire.record(
                kind="step",
                step=number,
                steps=2000,
                loss=round(loss, 4),
                lr=3e-4,
                samples_per_second=rate,
                step_time=round(0.42 + slow + dice.uniform(-0.01, 0.01), 3),
                data_time=0.02,
                comm_time=round(0.12 - slow / 2, 3),
                eta=(2000 - number) * 0.42,
                numbers={"mem_gb": 19.6},
            )
            yield MetricsSeen(node=plan.node, at=START + at, run=RUN, rank=rank, record=record)
            text = f"step {number:>5}/2000  loss {loss:.4f}  lr 3.00e-04  {rate} samples/s"
            yield logs.line(rank, text, at)
        if number % 250 == 0:
            record = wire.record(kind="ckpt", step=number, path=f"checkpoints/step-{number}")
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
        cause=OUT_OF_MEMORY,
        remedy=message(
            "diagnosis.out-of-gpu-memory.remedy",
            "halve training.batch_size and double training.gradient_accumulation_steps "
            "(same effective batch size)",
        ),
    )
