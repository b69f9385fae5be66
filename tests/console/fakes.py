"""A fleet for the screens: recorded events instead of nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from agent.wire.message import EMPTY, message
from fleet.event_json import from_json
from fleet.events import Event
from fleet.telemetry import History, Meter, TelemetrySettings
from fleet.telemetry.series import row_of
from tests.console.record import FOLDER
from tests.console.recorded_fleet import NODES, START, sample
from tests.console.recorded_run import OUT_OF_MEMORY, RUN
from tui.app import ConsoleApp
from tui.operations.interface import Agreed, Draft, NodeCard, RefusedError, RunCard
from tui.state.engine import Engine

#: The moment at which every recording is looked at, in seconds from START.
NOW = {
    "nodes_busy": 42.0,
    "nodes_error": 42.0,
    "deploy_busy": 9.5,
    "deploy_plan": 9.5,
    "deploy_error": 21.0,
    "preflight_busy": 9.0,
    "preflight_error": 9.0,
    "monitor_busy": 70 + 700 * 0.42 + 0.4,
    "monitor_error": 230.0,
}


def cards() -> tuple[NodeCard, ...]:
    return tuple(
        NodeCard(
            name,
            address,
            transport="local" if name == "master" else "auto",
            user="" if name == "master" else "연구원",
            project="D:\\ml-project",
            tags=("4090",) if "4090" in kind else ("lab", "big") if name == "gpu2" else (),
            is_master=name == "master",
        )
        for name, (address, _, kind, _, _) in NODES.items()
    )


def recorded(name: str) -> list[Event]:
    return [from_json(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()]


STOPPED = message("run.stopped", "stopped by request")


def history() -> tuple[RunCard, ...]:
    """Three runs: one that goes on, one that failed, one that came to its end."""
    return (
        RunCard(
            "r-0915-7f3a", START + 60, START + 208, "failed",
            OUT_OF_MEMORY, 8, 4,
            config="9f3a61c07be2", code="51c0ffee7a10", members=("master", "gpu1", "gpu2", "연구실-3"),
        ),
        RunCard(
            "r-0914-11c0", START - 86_000, START - 79_000, "succeeded", EMPTY, 8, 4,
            config="20b7d14ea95c", members=("gpu4",),
        ),
        RunCard("r-0913-a001", START - 172_000, START - 171_000, "stopped", STOPPED, 6, 3),
    )  # fmt: skip


@cache
def rows_of(node: str) -> tuple[tuple[float, ...], tuple[Mapping[str, float | None], ...]]:
    """Two hours of a node's load up to the middle of the run, with ten minutes in which nobody looked."""
    index, times = list(NODES).index(node), [START - 7000 + second for second in range(0, 7200, 5)]
    times = [at for at in times if not 3000 < at - START + 7000 < 3600]
    rows = [row_of(sample(node, index, int(at - START) // 60, busy=True)) for at in times]
    return tuple(times), tuple(rows)


def load_of(node: str, wanted: Callable[[str], bool]) -> History:
    times, rows = rows_of(node)
    names = [name for name in rows[0] if wanted(name)]
    return History(times, {name: tuple(row[name] for row in rows) for name in names})


class Recorded:
    """Operations that tell recorded events and remember what they were asked."""

    def __init__(
        self,
        nodes: Sequence[NodeCard] = (),
        *,
        runs: Sequence[RunCard] = (),
        folder: Path | None = None,
        told: dict[str, Iterable[Event]] | None = None,
        production: bool = False,
    ) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.closed = False
        self._nodes = list(nodes)
        self._runs = runs
        self._told = told or {}
        self.inventory_path = folder / "nodes.yaml" if folder else None
        self.config_path = folder / "train_config.yaml" if folder else None
        self.project = "floorplan"
        self.production = production
        self.resumes = True

    def nodes(self) -> Sequence[NodeCard]:
        return tuple(self._nodes)

    def runs(self) -> Sequence[RunCard]:
        return self._runs

    def settings(self, run: str) -> Mapping[str, str]:
        if run == "r-0913-a001":
            return {}  # of a time when they were not kept
        return {"training.batch_size": "8" if run == RUN else "4", "training.learning_rate": "0.0003"}

    def recorded(self, run: str) -> Sequence[Event]:
        events = recorded("monitor_error" if run == RUN else "monitor_busy")
        return [replace(event, run=run) if hasattr(event, "run") else event for event in events]

    def meter(self) -> Meter:
        return Meter(TelemetrySettings(price_per_kwh=150.0, currency="KRW"))

    def sampled(self, run: str) -> Sequence[str]:
        return list(NODES)[:4] if run else ()

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        return load_of(node, wanted)

    async def _tell(self, *asked: object) -> AsyncIterator[Event]:
        self.asked.append(asked)
        for event in self._told.get(str(asked[0]), ()):
            await asyncio.sleep(0)
            yield event

    async def watch(self) -> AsyncIterator[Event]:
        async for event in self._tell("watch"):
            yield event
        await asyncio.Event().wait()

    def probe(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        return self._tell("probe", *nodes)

    def preflight(self, nodes: Sequence[str], checks: Sequence[str] = ()) -> AsyncIterator[Event]:
        return self._tell("preflight", tuple(nodes), tuple(checks))

    def fix(self, troubles: Mapping[str, Sequence[str]], agreed: Agreed) -> AsyncIterator[Event]:
        return self._tell("fix", *((node, *checks) for node, checks in troubles.items()))

    def deploy(self, nodes: Sequence[str], *, dry_run: bool = False) -> AsyncIterator[Event]:
        return self._tell("plan" if dry_run else "deploy", *nodes)

    def launch(self, nodes: Sequence[str], *, resume: str = "") -> AsyncIterator[Event]:
        return self._tell("launch", *nodes, *([f"--resume {resume}"] if resume else []))

    def attach(self, run: str) -> AsyncIterator[Event]:
        return self._tell("attach", run)

    def up(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        return self._tell("up", *nodes)

    def stop(self, run: str, *, followed: bool) -> AsyncIterator[Event]:
        return self._tell("stop", run, followed)

    def sample(self, run: str, text: str) -> AsyncIterator[Event]:
        return self._tell("sample", run, text)

    def stacks(self, run: str) -> AsyncIterator[Event]:
        return self._tell("stacks", run)

    def add_node(self, draft: Draft) -> None:
        if not draft.address:
            raise RefusedError("the address is missing")
        self._nodes.append(NodeCard(draft.name, draft.address, transport=draft.transport))

    def remove_nodes(self, names: Sequence[str]) -> None:
        self._nodes = [card for card in self._nodes if card.name not in names]

    def import_workers(self, path: Path) -> int:
        raise RefusedError(f"{path}: no such file")

    def check_inventory(self, text: str) -> Sequence[str]:
        return ["nodes.yaml:2: nodes: expected a list"] if "nodes: 5" in text else []

    def check_config(self, text: str) -> Sequence[str]:
        return ["train_config.yaml:2: training.bach_size: unknown key"] if "bach_size" in text else []

    def reload(self) -> None:
        self.asked.append(("reload",))

    async def close(self) -> None:
        self.closed = True


def console(recording: str = "", mode: str = "nodes", **options: object) -> ConsoleApp:
    """Return an app that shows a recording (empty: no node, nothing happened yet)."""
    now = START + NOW.get(recording, 0.0)
    operations = options.pop("operations", None) or Recorded(cards() if recording else ())
    engine = Engine(operations, clock=lambda: now)  # type: ignore[arg-type]
    if recording:
        engine.absorb(recorded(recording))
    return ConsoleApp(operations, clock=lambda: now, engine=engine, first=mode, **options)  # type: ignore[arg-type]
