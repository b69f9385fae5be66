"""The chart of the load: what it shows, how it zooms and moves, live and of a run that is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from fleet.events import TelemetrySampled
from fleet.telemetry.history import Bucket, History
from fleet.telemetry.metrics import METRICS
from tests.console.driving import settled, text_of, until
from tests.console.fakes import NOW, Recorded, cards, console, history
from tests.console.recorded_fleet import START, sample
from tests.support import wire
from tui.app import ConsoleApp
from tui.keys.registry import of_scope
from tui.rendering.spans import width_of
from tui.rendering.units import duration, quantity_text
from tui.screens.chart import ChartScreen
from tui.state.chart_data import SPANS, ChartQuery, Curve, Stretch, chart_data
from tui.views.axes import moments, scale
from tui.views.chart import LABEL, chart

SIZES = ((80, 24), (120, 40), (200, 50))


class Unreadable(Recorded):
    """Its history lies on a disk that has failed."""

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        raise OSError(5, "Input/output error", f".dtui/runs/{run}/telemetry/{node}.tel")


class Nothing(Recorded):
    """Nobody has looked at its nodes."""

    def sampled(self, run: str) -> Sequence[str]:
        return ()


class WithoutGpus(Recorded):
    """Its nodes have no GPU."""

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        return super().history(run, node, lambda name: not name.startswith("gpu") and wanted(name))


def chart_of(pilot: Pilot[None]) -> ChartScreen:
    shown = pilot.app.screen
    assert isinstance(shown, ChartScreen)
    return shown


def app_of(state: str, lang: str = "en") -> ConsoleApp:
    if state == "empty":
        return console("nodes_error", "nodes", lang=lang, operations=Nothing(cards()))
    if state == "error":
        return console("monitor_error", "monitor", lang=lang, operations=Unreadable(cards()))
    return console("monitor_busy", "monitor", lang=lang, operations=Recorded(cards(), runs=history()))


async def opened(pilot: Pilot[None]) -> str:
    """Open the chart; return the screen as SVG."""
    await settled(pilot)
    await pilot.press("L")
    return await settled(pilot)


@pytest.mark.parametrize(
    ("state", "press"),
    [("empty", "L"), ("error", "L"), ("busy", "L"), ("gpus", ["L", "j", "enter", "j", "minus"]),
     ("whole", ["L", "m", "m", "a"]), ("past", ["L", "j", "minus", "minus", "minus", "h", "h"])],
)  # fmt: skip
async def test_chart(state: str, press: list[str], screen: SnapshotAssertion):
    async with app_of(state).run_test(size=SIZES[0]) as pilot:
        await settled(pilot)
        for key in press:
            await pilot.press(key)
            await settled(pilot)
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            assert await settled(pilot) == screen(name=f"{width}x{height}")


async def test_korean(screen: SnapshotAssertion):
    async with app_of("busy", "ko").run_test(size=(120, 40)) as pilot:
        assert await opened(pilot) == screen(name="120x40")


async def test_without_gpus_it_opens_at_a_metric_that_the_nodes_have():
    app = console("monitor_error", "monitor", operations=WithoutGpus(cards()))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        title = text_of(app).splitlines()[0]
        assert "No data" not in text_of(app)
        assert not title.split()[0].startswith("GPU")
        await pilot.press("M")
        await settled(pilot)
        assert "No data" in text_of(app), "the others can still be chosen"


async def test_it_zooms_moves_and_follows_again():
    app = app_of("busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        here = chart_of(pilot)
        assert "10:00" in text_of(app)
        assert "live" in text_of(app)
        await pilot.press("plus")
        await settled(pilot)
        assert duration(SPANS[2]) in text_of(app).splitlines()[0]
        before = here._chart_data
        assert before is not None
        await pilot.press("h")
        await settled(pilot)
        after = here._chart_data
        assert after is not None
        assert after.stretch.end == pytest.approx(before.stretch.end - SPANS[2] / 3)
        assert "paused" in text_of(app)
        middle = after.stretch.start + after.stretch.span / 2
        await pilot.press("minus")
        await settled(pilot)
        zoomed = here._chart_data
        assert zoomed is not None
        # About the middle; what would lie in the future is the present.
        assert zoomed.stretch.end == min(middle + SPANS[3] / 2, before.last)
        await pilot.press("f")
        await settled(pilot)
        assert "live" in text_of(app)
        await pilot.press("l")
        await settled(pilot)
        assert "live" in text_of(app), "beyond the newest there is nothing"
        for _ in range(40):
            await pilot.press("minus")
        for _ in range(100):
            await pilot.press("h")
        await settled(pilot)
        last = here._chart_data
        assert last is not None
        assert last.stretch.end >= last.first, "nobody gets lost before the first sample"


async def test_new_samples_are_drawn_as_they_come():
    now = [START + NOW["monitor_busy"]]
    app = app_of("busy")
    app.session.clock = lambda: now[0]
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        now[0] += 5
        fresh = sample("gpu1", 1, 1, busy=True)
        fresh["gpus"] = [wire.gpu(index=0, util=3)]
        app.engine.absorb([TelemetrySampled(node="gpu1", at=now[0], sample=fresh)])
        here = chart_of(pilot)
        here._tick()
        await settled(pilot)
        (row,) = [line for line in text_of(app).splitlines() if line.strip().startswith(("━ gpu1", "╌ gpu1"))]
        assert row.split()[2] == "3%"


async def test_a_run_that_is_over_shows_what_was_kept_and_escape_goes_back():
    app = console("", "runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("j", "L")
        await settled(pilot)
        shown = text_of(app)
        assert "r-0914-11c0" in shown
        assert "live" not in shown
        assert "연구실-3" in shown
        await pilot.press("enter")
        await settled(pilot)
        assert "GPU 3" in text_of(app)
        await pilot.press("escape")
        await settled(pilot)
        assert "all nodes" in text_of(app)
        await pilot.press("escape")
        await settled(pilot)
        assert not isinstance(app.screen, ChartScreen)


def title_of(app: ConsoleApp) -> str:
    return text_of(app).splitlines()[0].split("  ")[0].strip()


async def test_each_quantity_has_a_name_and_a_unit():
    app = app_of("busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        seen = set()
        for _ in METRICS:
            seen.add(title := title_of(app))
            await pilot.press("m")
            # A busy machine lets the screen look settled before the key has acted.
            await until(pilot, lambda before=title: title_of(app) != before)
            await settled(pilot)
        assert len(seen) == len(METRICS)
        await pilot.press("M")
        await settled(pilot)
        assert text_of(app).splitlines()[0].strip().startswith("disk written")


def test_its_keys_do_not_hide_those_of_the_table():
    keys = [key for scope in ("chart", "list") for action in of_scope(scope) for key in action.keys]
    assert len(keys) == len(set(keys))


def test_a_gap_is_no_line_and_a_peak_is_seen_from_afar():
    times = tuple(float(second) for second in [*range(1000), *range(2000, 3000)])
    values = tuple(100.0 if at == 500 else 10.0 for at in times)
    histories = {"gpu1": History(times, {"gpu0.util": values})}
    found = chart_data(ChartQuery(live=False, span=SPANS.index(3600)), histories, 0.0, 100)
    assert found is not None
    (curve,) = found.curves
    assert max(bucket.high for bucket in curve.buckets if bucket is not None) == 100.0
    lines = chart(found.curves, "gpu1", found.stretch, "percent", 50 + LABEL, 20)
    text = "\n".join("".join(part for part, _ in spans) for spans in lines)
    assert "100%" in text
    bottom = "".join(part for part, _ in lines[16])[LABEL:]
    # From 3599 s before the end on: nothing, a thousand seconds, a gap as long, a thousand seconds.
    drawn_cells = "".join("#" if "⠀" < cell <= "⣿" else " " for cell in bottom)
    assert len(drawn_cells.split()) == 2, drawn_cells


@given(
    st.lists(st.none() | st.floats(-1e6, 1e15), max_size=60),
    st.integers(0, 140),
    st.integers(0, 30),
    st.sampled_from(["percent", "bytes", "bytes/s", "W", "°C", "MHz"]),
)
def test_whatever_was_measured_is_drawn_within_its_room(values, width, height, unit):
    buckets = [None if value is None else Bucket(0.0, value, value, value) for value in values]
    curves = [Curve("a", buckets[: max(2, (width - LABEL) * 2)]), Curve("b", [])]
    lines = chart(curves, "a", Stretch(1e9, 1e9 + 600), unit, width, height)
    assert len(lines) in (0, height)
    assert all(width_of(spans) <= width for spans in lines)


@given(st.floats(0, 1e14), st.floats(0, 1e14), st.sampled_from(["bytes", "W", "°C"]), st.integers(2, 12))
def test_a_scale_holds_its_values_in_few_round_steps(one, other, unit, ticks):
    low, high = sorted((one, other))
    axis = scale(low, high, unit, ticks)
    slack = 1e-9 * max(1.0, high)
    assert axis.low <= low + slack
    assert axis.high >= high - slack
    assert 2 <= len(axis.ticks) <= ticks + 3


def test_moments_are_round_and_no_more_than_asked_for():
    assert [text for _, text in moments(START, START + 600, 5)] == [
        "08:00",
        "08:02",
        "08:04",
        "08:06",
        "08:08",
        "08:10",
    ]
    assert [text for _, text in moments(START + 1, START + 31, 3)] == ["08:00:10", "08:00:20", "08:00:30"]
    assert [text for _, text in moments(START, START + 8 * 3600, 4)] == [
        "08:00",
        "10:00",
        "12:00",
        "14:00",
        "16:00",
    ]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(None, "W", "–"), (97.4, "percent", "97%"), (3 * 2**30, "bytes", "3.0 GiB"),
     (2**20, "bytes/s", "1.0 MiB/s"), (71.2, "°C", "71 °C")],
)  # fmt: skip
def test_a_quantity_has_its_unit(value, unit, text):
    assert quantity_text(value, unit) == text


def test_nothing_measured_is_nothing_drawn():
    assert chart_data(ChartQuery(), {"gpu1": History()}, 0.0, 10) is None
    only_host = {"gpu1": History((1.0,), {"cpu.util": (5.0,)})}
    found = chart_data(replace(ChartQuery(), metric=len(METRICS) - 6), only_host, 1.0, 10)
    assert found is not None
    assert [curve.name for curve in found.curves] == ["gpu1"]
