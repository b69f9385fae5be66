"""What a start does once, and when."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.driving import settled, text_of, until
from tests.console.fakes import console
from transports.base import NoPrompts
from tui.app import ConsoleApp
from tui.collector import collecting_later
from tui.operations.fleet_operations import FleetOperations


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_collecting_waits_until_it_is_told_to_begin():
    with collecting_later() as collect:
        assert not gc.isenabled()
        collect()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 1000
    assert gc.isenabled()


def test_a_start_that_fails_leaves_the_collector_as_it_was():
    with pytest.raises(ValueError, match="no such language"), collecting_later():
        console("nodes_busy", lang="xx")
    assert gc.isenabled()


async def test_the_first_frame_is_told_of_once_and_is_the_whole_screen():
    frames: list[str] = []
    app = console("nodes_busy", begun=lambda: frames.append(text_of(app)))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: frames)
        await settled(pilot)
        await pilot.press("2", "1")
        await settled(pilot)
    assert len(frames) == 1
    assert "gpu4" in frames[0]
    assert "Help" in frames[0].splitlines()[-1]


@pytest.mark.parametrize("first", ["nodes", "monitor"])
async def test_it_begins_in_its_mode_without_an_empty_screen_before_it(first: str):
    app = console("nodes_busy", first)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.mode_screen.mode == first
        await pilot.press("2", "1" if first == "nodes" else "4")
        await until(pilot, lambda: app.mode_screen.mode == first)


async def test_a_timer_that_comes_while_it_leaves_does_nothing():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
    app._begin()
    app._refresh.draw_changes()
    app._ask_next()
    app._offer_password()
    assert app.operations.asked == [("watch",)]


async def test_the_first_frame_waits_for_no_name_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asking: list[threading.Thread] = []
    look_up = socket.getaddrinfo

    def slow(*args: Any, **options: Any) -> Any:
        asking.append(threading.current_thread())
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    path = tmp_path / "configs" / "nodes.yaml"
    path.parent.mkdir()
    path.write_text("nodes:\n  - {name: gpu1, address: 127.0.99.1, port: 9, transport: ssh}\n", "utf-8")
    frames: list[tuple[str, int]] = []
    operations = FleetOperations(path, project=tmp_path, prompts=NoPrompts())
    app = ConsoleApp(operations, begun=lambda: frames.append((text_of(app), len(asking))))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.session.cards[0].address)
        await until(pilot, lambda: "127.0.0.1" in text_of(app))
    assert "gpu1" in frames[0][0]
    assert frames[0][1] == 0
    assert asking
    assert threading.main_thread() not in asking
