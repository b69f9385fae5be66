"""The engine: its own thread, whatever the screen does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from fleet.errors import FleetError
from fleet.events import Event, LinkChanged, LogChunk, Notice
from tests.console.fakes import Recorded, cards, recorded
from tests.console.recorded_run import RUN
from transports.base import Endpoint, HostKey
from tui.dialogs.questions import Questions
from tui.operations.operation import Operation
from tui.state.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(Recorded(cards()), clock=lambda: 5.0)
    engine.start()
    yield engine
    engine.stop()


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


async def stream(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


def test_a_stream_becomes_the_state(engine: Engine):
    events = recorded("monitor_error")
    before = engine.version
    assert engine.run(Operation.UP, lambda: stream(events))
    wait_for(lambda: "up" not in engine.running)
    assert engine.version > before
    assert engine.state.runs[RUN].outcome == "failed"
    sent = sum(event.data.count(b"\n") for event in events if isinstance(event, LogChunk))
    book = engine.logbook(RUN)
    assert sum(book.log(rank).complete for rank in book.ranks) == sent


def test_the_fleet_goes_on_while_the_screen_stands_still(engine: Engine):
    """Nobody looks at the engine here, as when a terminal blocks the screen's loop."""
    done = threading.Event()

    async def flood() -> AsyncIterator[Event]:
        offset = 0
        for number in range(2000):
            data = b"line %d\n" % number * 50
            yield LogChunk(run="r", rank=0, offset=offset, data=data, at=float(number))
            offset += len(data)
            await asyncio.sleep(0)
        done.set()

    engine.run(Operation.LAUNCH, flood)
    assert done.wait(20)
    log = engine.logbook("r").log(0)
    assert log.complete == 100_000
    assert log.missing == 0


def test_what_goes_wrong_becomes_a_message_with_its_remedy(engine: Engine):
    async def broken() -> AsyncIterator[Event]:
        yield Notice(level="info", text="begun")
        raise FleetError("no route to host", node="gpu1", remedy="plug it in")

    engine.run(Operation.DEPLOY, broken)
    wait_for(lambda: engine.state.noticed == 2)
    notice = engine.state.notices[-1]
    assert (notice.level, notice.remedy) == ("error", "plug it in")
    assert "gpu1: no route to host" in notice.text
    wait_for(lambda: "deploy" not in engine.running)


def test_an_operation_can_be_cancelled_and_is_closed(engine: Engine):
    begun, closed = threading.Event(), threading.Event()

    async def endless() -> AsyncIterator[Event]:
        try:
            yield LinkChanged(node="gpu1", state="up")
            begun.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    engine.run(Operation.DEPLOY, endless)
    assert begun.wait(20)
    assert not engine.run(Operation.DEPLOY, endless)
    assert engine.cancel("deploy")
    assert closed.wait(20)
    wait_for(lambda: "deploy" not in engine.running)
    assert not engine.cancel("deploy")
    assert engine.state.notices[-1].level == "warning"


def test_leaving_ends_everything_and_closes_the_fleet():
    operations = Recorded(cards())
    engine = Engine(operations, clock=lambda: 0.0)
    engine.start()
    assert engine.running == {"watch"}
    engine.stop()
    assert operations.closed
    assert not engine.run(Operation.DEPLOY, lambda: stream([]))
    engine.stop()


def test_a_changed_inventory_is_watched_anew():
    operations = Recorded(cards())
    engine = Engine(operations, clock=lambda: 0.0)
    engine.absorb([LinkChanged(node="gpu1", state="up")])
    engine.start()
    wait_for(lambda: operations.asked == [("watch",)])
    operations.remove_nodes(["gpu2"])
    engine.follow_inventory()
    assert "gpu2" not in engine.state.nodes
    assert engine.state.nodes["gpu1"].link.state == "up"
    wait_for(lambda: operations.asked == [("watch",), ("watch",)])
    engine.stop()


async def test_a_question_waits_for_its_answer_one_at_a_time():
    questions = Questions()
    first = asyncio.create_task(questions.password(Endpoint("gpu1"), "password"))
    second = asyncio.create_task(questions.trust_host_key(HostKey("gpu2", 22, "ssh-ed25519", "SHA256:x")))
    await asyncio.sleep(0)
    asked = questions.next()
    assert asked is not None
    assert asked.endpoint == Endpoint("gpu1")
    assert questions.next() is None
    asked.answer("secret")
    asked.answer("another")
    assert await first == "secret"
    asked = questions.next()
    assert asked is not None
    assert asked.key is not None
    asked.answer(False)
    assert await second is False


async def test_a_question_nobody_waits_for_any_more_is_not_asked():
    questions = Questions()
    task = asyncio.create_task(questions.password(Endpoint("gpu1"), "password"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert questions.next() is None


@pytest.mark.parametrize("name", ["probe", "watch"])
def test_an_operation_that_fails_before_its_first_event_says_so(engine: Engine, name: str):
    def refuse() -> AsyncIterator[Event]:
        raise FleetError("there is no such node", remedy="Add it.")

    engine.cancel("watch")
    wait_for(lambda: "watch" not in engine.running)
    engine.run(Operation(name), refuse)
    wait_for(lambda: name not in engine.running and engine.state.notices)
    assert f"{name}: there is no such node" in engine.state.notices[-1].text
    links = {node.link.state for node in engine.state.nodes.values()}
    assert links == ({"failed"} if name == "watch" else {"unknown"})


def test_a_node_that_nothing_is_heard_of_is_told_of():
    engine = Engine(Recorded(cards()), clock=lambda: 5.0, silence=0.05)
    engine.start()
    wait_for(lambda: len(engine.state.notices) == len(cards()))
    engine.stop()
    assert {notice.node for notice in engine.state.notices} == {card.name for card in cards()}
