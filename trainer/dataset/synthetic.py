"""Synthetic pairs in the layout of real data.

Uses the standard library only; a seed gives the same bytes on every machine.
"""

from __future__ import annotations

import random
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from trainer.dataset.png import encode_palette_png

#: The colours of trainer.dataset.palette, which needs numpy; a test compares the two.
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
#: Every fourth text is Korean.
_KOREAN_INTERVAL = 4


@dataclass(frozen=True)
class Room:
    """A rectangle inside the walls: first column and row, width and height, in pixels."""

    x: int
    y: int
    width: int
    height: int
    kind: int = _LIVING

    @property
    def area(self) -> int:
        """Area in pixels."""
        return self.width * self.height


def generate_plan(rng: random.Random, size: int) -> tuple[list[bytes], list[Room]]:
    """Return the rows of palette indices, and the rooms, of a plan with sides of ``size`` pixels."""
    wall = max(1, size // 96)
    minimum = size // 6
    width, height = (rng.randint(size * 11 // 16, size * 15 // 16) for _ in range(2))
    left, top = rng.randint(0, size - width), rng.randint(0, size - height)
    spaces = [Room(left + wall, top + wall, width - 2 * wall, height - 2 * wall)]
    for _ in range(rng.randint(2, 5)):
        largest = max(spaces, key=lambda room: room.area)
        spaces.remove(largest)
        spaces += _split(rng, largest, wall, minimum)
    spaces.sort(key=lambda room: -room.area)
    kinds = [_LIVING, *rng.sample(range(_LIVING + 1, len(PALETTE)), len(spaces) - 1)]
    rooms = [Room(r.x, r.y, r.width, r.height, kind) for r, kind in zip(spaces, kinds, strict=True)]
    canvas = [bytearray(size) for _ in range(size)]
    _fill(canvas, Room(left, top, width, height, _WALL))
    for room in rooms:
        _fill(canvas, room)
    # The front door is in the bottom outer wall, at the column of the living room.
    door = rooms[0].x + rooms[0].width // 3
    _fill(canvas, Room(door, top + height - wall, max(2, size // 16), wall, _DOOR))
    return [bytes(row) for row in canvas], sorted(rooms, key=lambda room: room.kind)


def describe_rooms(rooms: list[Room], size: int, *, korean: bool) -> str:
    """Return a sentence per room: its position in the plan, and its size in 32nds of the plan's side."""
    sentences = []
    for room in rooms:
        row = min(2, (room.y * 2 + room.height) * 3 // (2 * size))
        column = min(2, (room.x * 2 + room.width) * 3 // (2 * size))
        wide, tall = round(room.width * 32 / size), round(room.height * 32 / size)
        if korean:
            side = _SIDES_KOREAN[row][column]
            sentences.append(f"{_KOREAN[room.kind]} {side}쪽 가로 {wide} 세로 {tall}.")
        else:
            side = _SIDES[row][column]
            sentences.append(f"The {_ENGLISH[room.kind]} is {side}, {wide} by {tall}.")
    return " ".join(sentences) + "\n"


def _split(rng: random.Random, room: Room, wall: int, minimum: int) -> list[Room]:
    if max(room.width, room.height) < 2 * minimum + wall:
        return [room]
    if room.width >= room.height:
        cut = rng.randint(minimum, room.width - wall - minimum)
        rest = room.width - cut - wall
        return [Room(room.x, room.y, cut, room.height), Room(room.x + cut + wall, room.y, rest, room.height)]
    cut = rng.randint(minimum, room.height - wall - minimum)
    rest = room.height - cut - wall
    return [Room(room.x, room.y, room.width, cut), Room(room.x, room.y + cut + wall, room.width, rest)]


def _fill(canvas: list[bytearray], room: Room) -> None:
    for row in canvas[room.y : room.y + room.height]:
        row[room.x : room.x + room.width] = bytes([room.kind]) * len(row[room.x : room.x + room.width])


def write_pairs(out: Path, count: int, size: int, seed: int, *, held_out: int | None = None) -> None:
    """Write ``count`` pairs below ``out/train`` and an eighth of that (or ``held_out``) below ``out/val``.

    The files are written into a temporary folder that is then renamed: other processes see all pairs or none,
    and several processes can write at once. Raises FileExistsError if ``out`` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty")
    held_out = max(1, count // 8) if held_out is None else held_out
    temporary = out.parent / f".{out.name}-{uuid.uuid4().hex[:12]}"
    for split, first, pairs in (("train", 0, count), ("val", count, held_out)):
        texts, images = temporary / split / "input_text", temporary / split / "label_floorplan"
        texts.mkdir(parents=True)
        images.mkdir()
        for number in range(first, first + pairs):
            # Seeded with a string: the sequence is the same in every version of Python.
            rows, rooms = generate_plan(random.Random(f"{seed}/{number}"), size)  # noqa: S311
            text = describe_rooms(rooms, size, korean=number % _KOREAN_INTERVAL == _KOREAN_INTERVAL - 1)
            (texts / f"{number:05d}.txt").write_bytes(text.encode())
            (images / f"{number:05d}.png").write_bytes(encode_palette_png(rows, PALETTE))
    try:
        temporary.replace(out)
    except OSError as error:
        shutil.rmtree(temporary)
        raise FileExistsError(f"{out} was created by another process: {error}") from None
