"""The lines of a program's output without what launchers, consoles and collectors put around them."""

from __future__ import annotations

import re

from msgspec import Struct

#: Lines looked at from the end of an output.
_KEPT = 4000
#: Longer lines are cut: patterns are searched in each.
_WIDTH = 4000
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
#: What launchers put before each line of a rank: torch, torchrun --tee, Ray, mpirun, srun -l, Compose.
_LANE = re.compile(
    r"\s*(?:\[?(?P<rank>(?:rank|default|local_rank|Rank )\d+)\]?: ?"
    r"|\((?P<ray>[\w.]+ )?(?:pid|ip)=[^)]*\) ?"
    r"|\[(?P<mpi>\d+,\d+)\]<std(?:err|out)>: ?"
    r"|(?P<srun>\d{1,4}): (?=\s*(?:File \"|Traceback |[\w.]*(?:Error|Exception)\b|\S))"
    r"|(?P<host>[A-Za-z][\w.-]*\d): (?=\s*(?:File \"|Traceback |[\w.]*(?:Error|Exception): ))"
    r"|(?P<box>[\w.-]+-\d+)\s+\| )"
)
#: A line of a rich traceback's box, and an exception group's tree.
_BOX = re.compile(r"^\s*[│┃|] ?(.*?)\s*[│┃]\s*$")
_TREE = re.compile(r"^(?:[ ]{2,}|\s)*(?:\| ?)+")
_BORDER = re.compile(r"^\s*(?:[╭╰┏┗┌└][─━═]{2,}|\+[-+]{2,})")
_TITLE = "Traceback (most recent call last)"


class Line(Struct, frozen=True):
    """A line of output; ``lane`` names the rank that a launcher writes before it, empty without one."""

    text: str
    lane: str = ""
    #: Within the box of a rich traceback.
    boxed: bool = False


def lines_of(output: str) -> list[Line]:
    """Return the output's last lines, each as the program printed it."""
    text = output
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    found: list[Line] = []
    for whole in text.split("\n")[-_KEPT:]:
        # What is behind a carriage return overwrites a progress bar.
        for part in whole.rstrip("\r").split("\r")[-8:]:
            if line := _line(part[:_WIDTH]):
                found.append(line)
    return found


def _line(text: str) -> Line | None:
    lane = ""
    while (match := _LANE.match(text)) is not None:
        lane = lane or match[0].strip()
        text = text[match.end() :]
    if _BORDER.match(text) and _TITLE not in text:
        return None
    boxed = False
    if _TITLE in text and _BORDER.match(text):
        return Line(_TITLE, lane, boxed=True)
    if (box := _BOX.match(text)) is not None:
        text, boxed = box[1], True
    elif "|" in text and (tree := _TREE.match(text)) is not None:
        text = text[tree.end() :]
    return Line(text.rstrip(), lane, boxed)
