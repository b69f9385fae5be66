"""Synthetic pairs in the user's layout: ``python -m trainer.sample_data --out data --count 512``.

Standard library only, and the same bytes from the same seed on every machine.
"""

from __future__ import annotations

import argparse
import random
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from trainer.png import palette_png

#: As in trainer.palette, which needs numpy; a test holds the two together.
PALETTE = (
    (255, 255, 255),
    (0, 0, 0),
    (255, 0, 0),
    (238, 232, 170),
    (240, 128, 128),
    (173, 216, 230),
    (255, 165, 0),
    (255, 215, 0),
    (107, 142, 35),
    (221, 160, 221),
    (218, 112, 214),
    (255, 255, 0),
)
_EXTERIOR, _WALL, _DOOR, _LIVING = 0, 1, 2, 3
_ENGLISH = (
    "", "", "", "living room", "kitchen", "bathroom", "master room", "common room", "balcony", "storage",
    "dining room", "entrance",
)  # fmt: skip
_KOREAN = ("", "", "", "거실", "부엌", "욕실", "안방", "방", "발코니", "창고", "식당", "현관")
_SIDES = (
    ("north west", "north", "north east"),
    ("west", "centre", "east"),
    ("south west", "south", "south east"),
)
_SIDES_KOREAN = (("북서", "북", "북동"), ("서", "중앙", "동"), ("남서", "남", "남동"))
#: Every n-th text is Korean.
_KOREAN_EVERY = 4


@dataclass(frozen=True)
class Room:
    """A rectangle inside the walls: the first column and row, width and height in pixels."""

    x: int
    y: int
    width: int
    height: int
    kind: int = _LIVING

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height


def plan(random_: random.Random, size: int) -> tuple[list[bytes], list[Room]]:
    """Return rows of palette indices and the rooms of a house on a square of ``size`` pixels."""
    wall = max(1, size // 96)
    least = size // 6
    width, height = (random_.randint(size * 11 // 16, size * 15 // 16) for _ in range(2))
    left, top = random_.randint(0, size - width), random_.randint(0, size - height)
    spaces = [Room(left + wall, top + wall, width - 2 * wall, height - 2 * wall)]
    for _ in range(random_.randint(2, 5)):
        largest = max(spaces, key=lambda room: room.area)
        spaces.remove(largest)
        spaces += _split(random_, largest, wall, least)
    spaces.sort(key=lambda room: -room.area)
    kinds = [_LIVING, *random_.sample(range(_LIVING + 1, len(PALETTE)), len(spaces) - 1)]
    rooms = [Room(r.x, r.y, r.width, r.height, kind) for r, kind in zip(spaces, kinds, strict=True)]
    canvas = [bytearray(size) for _ in range(size)]
    _fill(canvas, Room(left, top, width, height, _WALL))
    for room in rooms:
        _fill(canvas, room)
    # The door is in the house's own wall, above or below the living room if that reaches it.
    door = rooms[0].x + rooms[0].width // 3
    _fill(canvas, Room(door, top + height - wall, max(2, size // 16), wall, _DOOR))
    return [bytes(row) for row in canvas], sorted(rooms, key=lambda room: room.kind)


def describe(rooms: list[Room], size: int, *, korean: bool) -> str:
    """Return the text: each room's side of the plan and its extent in 32nds of the plan."""
    sentences = []
    for room in rooms:
        row = min(2, (room.y * 2 + room.height) * 3 // (2 * size))
        column = min(2, (room.x * 2 + room.width) * 3 // (2 * size))
        wide, high = round(room.width * 32 / size), round(room.height * 32 / size)
        if korean:
            side = _SIDES_KOREAN[row][column]
            sentences.append(f"{_KOREAN[room.kind]} {side}쪽 가로 {wide} 세로 {high}.")
        else:
            side = _SIDES[row][column]
            sentences.append(f"The {_ENGLISH[room.kind]} is {side}, {wide} by {high}.")
    return " ".join(sentences) + "\n"


def _split(random_: random.Random, room: Room, wall: int, least: int) -> list[Room]:
    if max(room.width, room.height) < 2 * least + wall:
        return [room]
    if room.width >= room.height:
        cut = random_.randint(least, room.width - wall - least)
        rest = room.width - cut - wall
        return [Room(room.x, room.y, cut, room.height), Room(room.x + cut + wall, room.y, rest, room.height)]
    cut = random_.randint(least, room.height - wall - least)
    rest = room.height - cut - wall
    return [Room(room.x, room.y, room.width, cut), Room(room.x, room.y + cut + wall, room.width, rest)]


def _fill(canvas: list[bytearray], room: Room) -> None:
    for row in canvas[room.y : room.y + room.height]:
        row[room.x : room.x + room.width] = bytes([room.kind]) * len(row[room.x : room.x + room.width])


def write(out: Path, count: int, size: int, seed: int, *, held_out: int | None = None) -> None:
    """Write ``count`` pairs below ``out/train`` and an eighth of that (or ``held_out``) below ``out/val``.

    They are made beside ``out`` and renamed, so that another process sees all or nothing, and several may
    do it at once. Raises FileExistsError when ``out`` has content.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} has files already")
    held_out = max(1, count // 8) if held_out is None else held_out
    beside = out.parent / f".{out.name}-{uuid.uuid4().hex[:12]}"
    for split, first, pairs in (("train", 0, count), ("val", count, held_out)):
        texts, pictures = beside / split / "input_text", beside / split / "label_floorplan"
        texts.mkdir(parents=True)
        pictures.mkdir()
        for number in range(first, first + pairs):
            # Seeded by text: the same on every version of Python.
            rows, rooms = plan(random.Random(f"{seed}/{number}"), size)  # noqa: S311
            text = describe(rooms, size, korean=number % _KOREAN_EVERY == _KOREAN_EVERY - 1)
            (texts / f"{number:05d}.txt").write_bytes(text.encode())
            (pictures / f"{number:05d}.png").write_bytes(palette_png(rows, PALETTE))
    try:
        beside.replace(out)
    except OSError as error:
        shutil.rmtree(beside)
        raise FileExistsError(f"{out} has been made by another process: {error}") from None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.sample_data", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data"))
    parser.add_argument("--count", type=int, default=512, help="training pairs; an eighth more is held out")
    parser.add_argument("--size", type=int, default=32, help="side of the pictures in pixels")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if chosen.size < 16 or chosen.count < 1:
        parser.error("--size has to be at least 16 and --count at least 1")
    try:
        write(chosen.out, chosen.count, chosen.size, chosen.seed)
    except FileExistsError as error:
        parser.error(f"{error}; choose another --out")
    print(chosen.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
