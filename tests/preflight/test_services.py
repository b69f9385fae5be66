"""The check of a transport's service that only accepts connections."""

from __future__ import annotations

import pytest

from agent.wire.message import Message
from agent.wire.preflight import FoundService, NetprobeResult, Outcome
from fleet.inventory import Node
from fleet.preflight.check import Situation, Subject, Verdict
from fleet.preflight.checks.services import responds
from fleet.preflight.observations import LINK, OUTSIDE, LinkFailed, ObservationStore
from fleet.preflight.observers.outside import services_of
from tests.preflight.recordings import inventory
from transports import registry
from transports.kind import Service, ServiceCheck, TransportKind

CHECK = ServiceCheck(title=Message("gate"), services=(Service("tcp", 7000),))
GATE = TransportKind(
    name="gate",
    summary=Message("gate"),
    create=registry.KINDS["ssh"].create,
    uses=frozenset({"port"}),
    check=CHECK,
)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose transport has a service without a protocol that preflight knows."""
    monkeypatch.setattr("fleet.inventory.model.KINDS", {**registry.KINDS, "gate": GATE})
    return Node(name="gpu1", address="192.168.1.101", transport="gate", project="~/p", port=7001)


def verdict(node: Node, outcome: Outcome) -> Verdict:
    probes = services_of(node)
    found: list[FoundService] = [
        {**probe, "outcome": outcome, "banner": "", "auth": [], "ms": None} for probe in probes
    ]
    outside: NetprobeResult = {
        "name": {"addresses": [node.address], "seconds": 0.0, "error": ""},
        "ping": None,
        "services": found,
    }
    seen = ObservationStore((node.name,))
    seen.put(node.name, OUTSIDE, outside)
    what = Message("no answer")
    seen.put(node.name, LINK, LinkFailed(failed_step="reach", cause="", what=what, remedy=what))
    return responds(GATE, CHECK)(Subject(node, Situation(inventory(), (node,)), seen))


def test_the_port_of_the_node_is_probed(node: Node) -> None:
    assert services_of(node) == [{"transport": "gate", "protocol": "tcp", "scheme": "", "port": 7001}]


def test_a_service_that_accepts_a_connection_passes(node: Node) -> None:
    found = verdict(node, "open")
    assert (found.status, str(found.seen)) == ("ok", "port 7001: connection accepted")


def test_a_closed_port_fails_with_the_general_remedy(node: Node) -> None:
    found = verdict(node, "refused")
    assert found.status == "fail"
    assert "port 7001: connection refused" in found.seen
    assert str(found.remedy) == (
        "start the service for the transport gate on gpu1, and allow its port in the firewall"
    )


def test_the_services_of_other_transports_are_not_used(node: Node) -> None:
    ssh = registry.KINDS["ssh"]
    assert ssh.check is not None
    seen = ObservationStore((node.name,))
    name = {"addresses": [node.address], "seconds": 0.0, "error": ""}
    seen.put(node.name, OUTSIDE, {"name": name, "ping": None, "services": []})  # type: ignore[typeddict-item]
    found = responds(ssh, ssh.check)(Subject(node, Situation(inventory(), (node,)), seen))
    assert (found.status, str(found.seen)) == ("skip", "not used (transport: gate)")
