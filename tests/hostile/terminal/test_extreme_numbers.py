"""Numbers of nodes, programs and recordings at the ends of their types: NaN, infinity, no calendar's year."""

from __future__ import annotations

import ast
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tui
from agent.wire.units import FORMATS
from fleet.event_json import EventFormatError, from_json, to_json
from fleet.events import Event
from fleet.state import FleetState
from tests.console.driving import text_of
from tests.console.fakes import NOW, Recorded, cards, console
from tests.console.record import FOLDER
from tests.console.recorded_fleet import START
from tui.cli.printing import PlainPrinter
from tui.i18n import Texts
from tui.i18n.units import KOREAN_FORMATS
from tui.rendering import units
from tui.views.axes import moments, scale
from tui.views.plot import plot

EXTREMES = (math.inf, -math.inf, math.nan, -1, 0, 1e308, -1e308, 1e15, 1e19, 2**63 - 1, -(2**63))
RECORDINGS = sorted(NOW)


def numbers(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where a value has numbers; all entries of a list have one place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item, (*path, "[]"))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def replaced(value: Any, places: dict[tuple[str, ...], float], path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {key: replaced(item, places, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, places, (*path, "[]")) for item in value]
    return places.get(path, value)


def raw_events() -> Iterator[dict[str, Any]]:
    """Yield a recorded event for each place of a number."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for name in RECORDINGS:
        for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines():
            raw = json.loads(line)
            places = {(raw["event"], path) for path in numbers(raw)}
            if places - seen:
                seen |= places
                yield raw


@pytest.mark.parametrize("number", EXTREMES)
def test_an_event_with_an_extreme_number_is_refused_or_shown(number: float) -> None:
    shown = 0
    for raw in raw_events():
        for path in set(numbers(raw)):
            try:
                event = from_json(json.dumps(replaced(raw, {path: number})))
            except EventFormatError:
                continue
            json.loads(to_json(event))
            FleetState().after(event).after(event)
            for lang in ("en", "ko"):
                with PlainPrinter(texts=Texts(lang), every_check=True) as printer:
                    printer.emit(event)
            shown += 1
    assert shown > 50


def mutated(name: str, chance: float) -> Iterator[Event]:
    choice = random.Random(name)
    for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines():
        raw = json.loads(line)
        for _ in range(5):
            places = {path: choice.choice(EXTREMES) for path in numbers(raw) if choice.random() < chance}
            try:
                yield from_json(json.dumps(replaced(raw, places)))
                break
            except EventFormatError:
                continue
        else:
            yield from_json(line)


@pytest.mark.parametrize("name", RECORDINGS)
async def test_every_screen_shows_a_recording_of_extreme_numbers(name: str) -> None:
    app = console(operations=Recorded(list(cards())))
    now = START + NOW[name]
    app.session.clock = lambda: now
    async with app.run_test(size=(140, 40)) as pilot:
        app.engine.absorb(list(mutated(name, 0.3)))
        for key in "123456":
            await pilot.press(key)
            await pilot.pause()
            assert text_of(app).strip()


@pytest.mark.parametrize("number", EXTREMES)
def test_every_unit_and_picture_takes_it(number: float) -> None:
    for form in (*FORMATS.values(), *KOREAN_FORMATS.values()):
        assert len(form(number)) < 400
    for one in (units.size, units.bits, units.duration, units.percent, units.number):
        assert len(one(number)) < 400
    assert len(units.sparkline([number, 1.0], 8)) == 8
    assert sum(map(len, units.bar(number, 10))) == 10
    assert units.local_time(number, "%Y")
    assert len(plot([(0.0, number), (1.0, -1e308), (number, 1.0), (2.0, 1e308)], 40, 8)) in (0, 9, 8, 10)
    for unit in ("bytes", "°C", ""):
        axis = scale(-number, number, unit, 5)
        assert len(axis.ticks) < 50
    assert len(moments(number, number + 60, 5)) < 20


def test_times_are_written_in_one_place() -> None:
    """``time.localtime`` raises for a year that no calendar has; ``local_time`` does not."""
    root = Path(tui.__file__).parent
    found = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("localtime", "gmtime", "fromtimestamp")
    ]
    assert sorted(set(found)) == ["rendering/units.py", "views/axes.py"]
