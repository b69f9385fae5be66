"""Plans in the terminal: PNGs read without a library, drawn in half blocks, shown by a key."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.color import Color

from fleet.events import Notice, PlanDrawn
from tests.console.driving import text_of, until
from tests.console.fakes import NOW, Recorded, cards, console, history
from tests.console.recorded_fleet import START
from trainer.dataset.png import encode_palette_png
from tui.rendering.half_blocks import half_blocks
from tui.rendering.png import PictureError, read_png

RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", **options)
    return file.getvalue()


@given(
    st.sampled_from(["RGB", "RGBA", "L", "LA"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
    st.data(),
)
def test_pixels_are_those_that_pillow_reads(
    mode: str, width: int, height: int, steps: bool, data: st.DataObject
):
    size = width * height * len(Image.new(mode, (1, 1)).getbands())
    # Slow slopes make the writer choose its filters, noise makes it choose none.
    raw = (
        bytes(at % 251 for at in range(size)) if steps else data.draw(st.binary(min_size=size, max_size=size))
    )
    image = Image.frombytes(mode, (width, height), raw)
    read = read_png(saved(image))
    opaque = image.convert("RGBA").convert("RGB")
    assert (read.width, read.height) == (width, height)
    assert [list(row) for row in read.rows] == [
        [opaque.getpixel((x, y)) for x in range(width)] for y in range(height)
    ]


def test_palettes_and_what_is_no_picture():
    assert read_png(encode_palette_png([b"\0\1", b"\1\1"], [RED, BLUE])).rows == ((RED, BLUE), (BLUE, BLUE))
    good = encode_palette_png([b"\0\1", b"\1\1"], [RED, BLUE])
    for bad in (
        b"",
        b"GIF89a",
        good[:-40],
        encode_palette_png([b"\5"], [RED]),
        saved(Image.new("1", (4, 4))),
    ):
        with pytest.raises(PictureError):
            read_png(bad)


def test_a_cell_shows_two_pixels_and_the_whole_picture_fits():
    small = read_png(encode_palette_png([b"\0\1", b"\1\0", b"\1\1"], [RED, BLUE]))
    lines = half_blocks(small, 10, 10)
    colours = [[(one.style.color, one.style.bgcolor) for one in line if one.style] for line in lines]
    red, blue = Color.from_rgb(*RED), Color.from_rgb(*BLUE)
    assert colours == [[(red, blue), (blue, red)], [(blue, None), (blue, None)]]
    wide = read_png(saved(Image.new("RGB", (300, 100), RED)))
    assert [len(line) for line in half_blocks(wide, 30, 30)] == [30] * 5
    assert [len(line) for line in half_blocks(wide, 300, 3)] == [18] * 3


async def test_a_text_is_asked_for_and_the_plan_shown(tmp_path: Path):
    path = tmp_path / "plan-1.png"
    path.write_bytes(encode_palette_png([bytes([at // 8 % 2] * 32) for at in range(32)], [RED, BLUE]))
    drawn = PlanDrawn(node="gpu1", at=1.0, run="r-0914-11c0", text="부엌은 북쪽", path=str(path))
    operations = Recorded(cards(), runs=history(), told={"sample": [drawn]})
    app = console("nodes_busy", "runs", operations=operations)
    async with app.run_test(size=(110, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("down", "d")
        await pilot.press("enter")
        await until(pilot, lambda: "describe the plan" in text_of(app))
        await pilot.press(*"부엌은 북쪽", "enter")
        await until(pilot, lambda: "Plan of run r-0914-11c0" in text_of(app))
        await until(pilot, lambda: text_of(app).count("▀") >= 32 * 16)
        assert "부엌은 북쪽" in text_of(app)
        assert ("sample", "r-0914-11c0", "부엌은 북쪽") in operations.asked
        await pilot.press("escape")
        await until(pilot, lambda: "Plan of run" not in text_of(app))


async def test_what_went_wrong_is_shown_instead_of_a_plan():
    failed = Notice(
        node="gpu1", at=START + NOW["monitor_busy"], level="error", text="no plan was drawn: no checkpoint"
    )
    operations = Recorded(cards(), runs=history(), told={"sample": [failed]})
    app = console("monitor_busy", "monitor", operations=operations)
    async with app.run_test(size=(110, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("d", *"x", "enter")
        await until(pilot, lambda: "no plan was drawn" in text_of(app))
        await until(pilot, lambda: "sample" not in app.engine.running)
        assert "Plan of run" not in text_of(app)


async def test_a_console_that_only_reads_draws_nothing():
    app = console("monitor_busy", "monitor", read_only=True)
    async with app.run_test(size=(110, 40)) as pilot:
        await pilot.pause()
        await pilot.press("d")
        assert "Draw a plan for" not in text_of(app)
