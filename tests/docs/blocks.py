"""Fenced blocks and inline code of a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = (
    *sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "README.ko.md", ROOT / "CONTRIBUTING.md",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and the words behind it, its text, the line where it begins."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    return [
        Block(*_info(match["info"]), match["text"], text[: match.start()].count("\n") + 1)
        for match in re.finditer(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def inline(path: Path) -> Iterator[str]:
    """Yield what stands between single backticks, outside of fenced blocks."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", text)


def links(path: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))


def _info(info: str) -> tuple[str, tuple[str, ...]]:
    language, *words = info.split() or [""]
    return language, tuple(words)
