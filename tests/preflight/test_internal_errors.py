"""An internal error is a failure of the checks that it concerns, on its node, and ends nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.wire.frames import Hello
from agent.wire.message import Message
from fleet.errors import InvalidAnswer, LinkLost, OperationFailed
from fleet.events import CheckFinished, LinkChanged
from fleet.inventory import Node
from fleet.preflight import PreflightOptions, checks_for, preflight, run
from fleet.preflight.board import Board
from fleet.preflight.check import Check, Situation, Subject, Verdict
from fleet.preflight.observations import CONDITIONS, FACTS, LINK, Absent, AnyObservation, absent
from fleet.preflight.observers import connection
from tests.preflight.recordings import fill, inventory, observations

Cells = dict[tuple[str, str], CheckFinished]
#: Node, operation, answer -> the answer that arrives, or raises.
Answer = Callable[[str, str, Any], Any]


class FakeLink:
    """An agent that answers as the recorded machine, but for what ``answer`` changes."""

    def __init__(self, name: str, observed: dict[str, Any], answer: Answer) -> None:
        self.hello = Hello(**observed["link"]["hello"])
        self._name = name
        self._answer = answer
        self._answers = {
            "ping": {"time": 0.0},
            "route": {"source": observed["link"]["source"]},
            "probe": {key: value for key, value in observed["facts"].items() if key != "gpus_of_others"},
            "conditions": observed["conditions"],
            "netprobe": observed["outside"],
            "portcheck": observed["ports"],
        }

    async def call(self, operation: Any, args: object) -> Any:
        return self._answer(self._name, operation.name, self._answers.get(operation.name))

    def request(self, operation: Any, args: object) -> Any:
        self._answer(self._name, operation.name, None)
        raise LinkLost(Message("the connection was cut"), node=self._name)


class FakeFleet:
    def __init__(self, folder: Path, answer: Answer) -> None:
        self.inventory = replace(inventory(), project=folder)
        self._answer = answer

    def clock(self) -> float:
        return 0.0

    async def connecting(self, node: Node) -> AsyncGenerator[LinkChanged, None]:
        yield LinkChanged(node=node.name, at=self.clock(), state="connecting")

    async def link(self, node: Node) -> FakeLink:
        return FakeLink(node.name, observations({})[node.name], self._answer)


async def run_checks(folder: Path, answer: Answer, *checks: str) -> Cells:
    fleet: Any = FakeFleet(folder, answer)
    options = PreflightOptions(checks=checks)
    events = [event async for event in preflight(fleet, fleet.inventory.nodes, options)]
    cells = [event for event in events if isinstance(event, CheckFinished)]
    found = {(one.node, one.check): one for one in cells}
    assert len(found) == len(cells)
    return found


def needing(group: str, *needs: AnyObservation) -> set[str]:
    return {check.name for check in checks_for() if check.group == group and {*needs} & {*check.needs}}


def failing(node: str, operation: str, error: Exception) -> Answer:
    def answer(name: str, asked: str, value: Any) -> Any:
        if (name, asked) == (node, operation):
            raise error
        return value

    return answer


def as_recorded(name: str, asked: str, value: Any) -> Any:
    return value


INTERNAL = OperationFailed(
    "internal",
    Message("internal error in probe: KeyError: 'x'"),
    node="gpu1",
    remedy=Message("please report it"),
)
INVALID = InvalidAnswer("probe", Message("its result: os"), node="gpu1")
BAD = OperationFailed("bad-request", Message("arguments of conditions"), node="gpu1")


@pytest.mark.parametrize(
    ("operation", "observation", "error", "text"),
    [
        ("probe", FACTS, INTERNAL, "internal error in probe: KeyError: 'x'"),
        (
            "probe",
            FACTS,
            INVALID,
            "the agent's answer to `probe` is not",
        ),
        (
            "probe",
            FACTS,
            RuntimeError("ours"),
            "internal error in the observation `facts`: RuntimeError: ours",
        ),
        (
            "conditions",
            CONDITIONS,
            BAD,
            "arguments of",
        ),
        ("conditions", CONDITIONS, ZeroDivisionError("by 0"), "`conditions`: ZeroDivisionError: by 0"),
    ],
    ids=str,
)
async def test_the_checks_that_need_the_observation_fail_on_that_node_alone(
    tmp_path: Path, operation: str, observation: AnyObservation, error: Exception, text: str
) -> None:
    expected = await run_checks(tmp_path, as_recorded, "machine")
    found = await run_checks(tmp_path, failing("gpu1", operation, error), "machine")
    concerned = needing("machine", observation)
    for (node, check), cell in found.items():
        if node == "gpu1" and check in concerned:
            assert (cell.status, text in cell.seen, cell.remedy != "") == ("fail", True, True), cell
        elif check not in ("plan", "gpu-same"):  # these compare the nodes
            assert cell.status == expected[node, check].status, cell


async def test_a_request_that_the_agent_rejects_is_a_skip_and_no_internal_error(tmp_path: Path) -> None:
    refused = OperationFailed("no-project", Message("there is no folder"), node="gpu1")
    found = await run_checks(tmp_path, failing("gpu1", "conditions", refused), "machine")
    assert found["gpu1", "leftovers"].status == "skip"
    assert found["gpu1", "leftovers"].seen == "not checked: there is no folder"


async def test_an_exception_at_the_login_fails_the_node_and_not_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = connection.observe_link

    def observe(fleet: Any, node: Node) -> Any:
        if node.name == "gpu1":
            raise RuntimeError("no such thing")
        return plain(fleet, node)

    monkeypatch.setattr(run, "observe_link", observe)
    found = await run_checks(tmp_path, as_recorded, "reach", "machine")
    for check in needing("reach", LINK):
        assert found["gpu1", check].status == "fail"
        assert "internal error in the observation `link`: RuntimeError: no such thing" in (
            found["gpu1", check].seen
        )
    assert found["gpu1", "os"].status == "skip"
    assert {found[node, check].status for node in ("master", "gpu2") for check in ("reach", "os")} == {"ok"}


async def test_an_exception_in_the_port_probe_fails_its_node(tmp_path: Path) -> None:
    found = await run_checks(tmp_path, failing("gpu1", "mesh", ValueError("a bad frame")), "ports")
    assert found["gpu1", "ephemeral"].status == "fail"
    assert "internal error in the port probe: ValueError: a bad frame" in found["gpu1", "ephemeral"].seen
    assert found["gpu2", "ephemeral"].seen == "not checked: the connection was cut"


async def test_an_exception_between_the_observations_ends_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[Any]:
        raise RuntimeError("no events")

    monkeypatch.setattr(run, "port_probe_events", broken)
    found = await run_checks(tmp_path, as_recorded, "network", "machine")
    assert {found[node, "os"].status for node in ("master", "gpu1", "gpu2")} == {"ok"}
    for node in ("master", "gpu1", "gpu2"):
        assert found[node, "latency"].status == "fail"
        assert "RuntimeError: no events" in found[node, "latency"].seen


@pytest.mark.parametrize("false", ["'; calc; '", "10.0.0.1; reboot", "fe80::1%$(reboot)", "gpu9.lab"])
async def test_a_node_that_reports_a_false_address_is_named_and_the_others_are_evaluated(
    tmp_path: Path, false: str
) -> None:
    def answer(name: str, asked: str, value: Any) -> Any:
        if name != "gpu1":
            return value
        if asked == "probe":
            adapters = [{**one, "addresses": [false]} for one in value["adapters"]]
            return {**value, "adapters": adapters}
        return value

    found = await run_checks(tmp_path, answer, "machine")
    assert found["gpu1", "adapter"].status == "fail"
    assert "`adapters[0].addresses` is not an IP address" in found["gpu1", "adapter"].seen
    assert found["gpu2", "adapter"].status == "warn", "as recorded"


async def test_a_false_address_on_the_route_to_the_master_breaks_the_link(tmp_path: Path) -> None:
    def answer(name: str, asked: str, value: Any) -> Any:
        return {"source": "'; calc"} if (name, asked) == ("gpu1", "route") else value

    found = await run_checks(tmp_path, answer, "reach")
    assert found["gpu1", "agent"].status == "fail"
    assert "`source` is not an IP address" in found["gpu1", "agent"].seen
    assert found["gpu2", "agent"].status == "ok"


def test_an_evaluator_that_raises_fails_its_own_cell_only() -> None:
    def evaluate(subject: Subject) -> Verdict:
        if subject.node.name == "gpu1":
            raise KeyError("cores")
        return Verdict("ok", Message("fine"))

    fleet = inventory()
    checks = (Check("odd", Message("odd"), "machine", Message("why"), (FACTS,), evaluate), *checks_for())
    board = Board(Situation(fleet, fleet.nodes), checks, clock=lambda: 0.0)
    found = {(one.node, one.check): one for one in fill(board, observations({}))}
    cell = found["gpu1", "odd"]
    assert (cell.status, cell.seen) == ("fail", "internal error in the check `odd`: KeyError: 'cores'")
    assert "report" in cell.remedy
    assert found["gpu2", "odd"].status == "ok"
    assert [one for one in found.values() if one.status == "fail"] == [cell]


def test_an_expected_refusal_is_no_internal_error() -> None:
    refused = OperationFailed("path", Message("a path can't be used"), remedy=Message("name another"))
    assert absent(refused, Message("a test")) == Absent(
        Message("a path can't be used"), Message("name another")
    )


async def test_a_node_that_does_not_respond_does_not_pass(tmp_path: Path) -> None:
    found = await run_checks(tmp_path, failing("gpu1", "conditions", TimeoutError()), "disk", "leftovers")
    own = [cell for (node, _), cell in found.items() if node == "gpu1"]
    assert own
    assert {cell.status for cell in own if "did not respond" in cell.seen} == {"fail"}
    assert any("did not respond" in cell.seen for cell in own)
    assert all(cell.status != "fail" for (node, _), cell in found.items() if node != "gpu1")
