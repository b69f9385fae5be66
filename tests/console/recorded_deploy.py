"""What the deploy screen is tested with: under way, a plan, and a disk that is full."""

from __future__ import annotations

from collections.abc import Iterator

from agent.wire.message import message
from fleet.events import (
    CopyProgressed,
    DeployPreview,
    EnvironmentOutput,
    Event,
    FileChange,
    NodeDeployed,
    RankPlan,
    RunPreview,
    StageChanged,
)
from tests.console.recorded_fleet import NO_ANSWER, NO_ANSWER_REMEDY, NODES, START, links

CONNECT = message("deploy.stage.connect", "connect")
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
            node=node,
            at=START + 6.3,
            stage="compare",
            state="done",
            detail=message("deploy.to-send", "{files:n file} to send ({size:bytes})", files=2406, size=total),
        )
        if node == "master":
            yield StageChanged(
                node=node,
                at=START + 6.3,
                stage="copy",
                state="skipped",
                detail=message("deploy.same-folder", "this folder is the source of the deploy"),
            )
            yield StageChanged(
                node=node,
                at=START + 6.4,
                stage="environment",
                state="running",
                detail=message("deploy.quiet", "no output for {seconds:duration}", seconds=20),
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
        yield StageChanged(
            node=node,
            at=START + 5.5,
            stage="compare",
            state="done",
            detail=message(
                "deploy.changes",
                "{parts}",
                parts=[
                    message("deploy.to-send", "{files:n file} to send ({size:bytes})", files=5, size=30_644),
                    message("deploy.to-delete", "{files:n file} to delete", files=1),
                ],
            ),
        )
        for path, action, size in _PLAN:
            yield FileChange(node=node, at=START + 5.6, path=path, action=action, size=size)
        yield DeployPreview(
            node=node, at=START + 5.8, files_to_send=5, bytes_to_send=30_644, files_to_delete=1
        )
    yield StageChanged(node="gpu4", at=START + 5, stage="connect", state="running")
    for stage in ("connect", "compare"):
        yield StageChanged(node="gpu4", at=START + 5.4, stage=stage, state="done")
    yield DeployPreview(node="gpu4", at=START + 5.8)
    yield RunPreview(
        at=START + 6,
        world_size=8,
        master_address="192.168.1.100",
        master_port=29500,
        ranks=tuple(
            RankPlan(node=node, rank=2 * index + local, local_rank=local)
            for index, node in enumerate(list(NODES)[1:5])
            for local in range(2)
        ),
        command="python -u -m trainer --config configs/train_config.yaml",
    )


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
    text = message(
        "deploy.disk-full",
        "no room on the disk of {folder}: {error}; nothing was changed",
        folder="D:\\ml-project",
        error="No space left on device",
    )
    remedy = message(
        "deploy.disk-full.remedy", "free space there, or leave data out with .dtuiignore, and deploy again"
    )
    yield StageChanged(node=node, at=START + 9, stage="copy", state="failed", detail=text, remedy=remedy)
    yield NodeDeployed(node=node, at=START + 9, ok=False, detail=text, remedy=remedy)
    yield StageChanged(node="gpu4", at=START + 5, stage="connect", state="running")
    yield StageChanged(
        node="gpu4",
        at=START + 15,
        stage="connect",
        state="failed",
        detail=NO_ANSWER,
        remedy=NO_ANSWER_REMEDY,
    )
    failed = message("deploy.failed", "{stage}: {what}", stage=CONNECT, what=NO_ANSWER)
    yield NodeDeployed(node="gpu4", at=START + 15, ok=False, detail=failed)
