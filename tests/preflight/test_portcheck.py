"""Whether ports can be listened on, tested with the operation as the agent runs it."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from agent.operations import portcheck as operation

pytestmark = pytest.mark.usefixtures("own_network")

PORT = 29500


def check(address: str = "127.0.0.1") -> dict[str, Any]:
    call: Any = SimpleNamespace(args={"address": address, "ports": [PORT]})
    found: dict[str, Any] = operation.portcheck(call)["ports"][str(PORT)]
    return found


def test_a_port_that_another_nodes_check_holds_for_a_moment_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = socket.create_server(("127.0.0.1", PORT))
    waits: list[float] = []

    def while_waiting(seconds: float) -> None:
        waits.append(seconds)
        holder.close()

    monkeypatch.setattr(operation.time, "sleep", while_waiting)
    assert check() == {"all": None, "own": None, "holder": None}
    assert len(waits) == 1


def test_a_port_that_stays_in_use_is_reported_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", PORT)):
        found = check()
        assert (found["all"], found["own"]) == ("in-use", "in-use")
        assert found["holder"]["pid"] is not None
        other = check("127.0.0.2")
    assert (other["all"], other["own"]) == ("in-use", None), "torch listens on all addresses"
