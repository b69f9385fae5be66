"""What the deploy screen is tested with: under way, a plan, and a disk that is full."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.events import (
    CopyProgressed,
    EnvironmentOutput,
    Event,
    FileChange,
    NodeDeployed,
    StageChanged,
)
from tests.console.recorded_fleet import NODES, START, links

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
        yield StageChanged(
            node=node, at=START + 6.3, stage="compare", state="done", detail="2406 files to send (432.0 MB)"
        )
        if node == "master":
            yield StageChanged(
                node=node,
                at=START + 6.3,
                stage="copy",
                state="skipped",
                detail="this is the folder that is deployed",
            )
            yield StageChanged(
                node=node, at=START + 6.4, stage="environment", state="running", detail="no output for 20 s"
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
    text = (
        "no room on the disk of D:\\ml-project: 339.7 MB are needed in D:\\ml-project and 13.0 MB are free; "
        "nothing was changed"
    )
    remedy = "free space there, or leave data out with .dtuiignore, and deploy again"
    yield StageChanged(node=node, at=START + 9, stage="copy", state="failed", detail=text, remedy=remedy)
    yield NodeDeployed(node=node, at=START + 9, ok=False, detail=text, remedy=remedy)
    yield StageChanged(node="gpu4", at=START + 5, stage="connect", state="running")
    yield StageChanged(
        node="gpu4",
        at=START + 15,
        stage="connect",
        state="failed",
        detail="no answer within 10 s",
        remedy="check that the machine is on, the address is right and its firewall lets SSH in",
    )
    yield NodeDeployed(node="gpu4", at=START + 15, ok=False, detail="connect: no answer within 10 s")
