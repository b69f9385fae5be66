"""Where screen snapshots lie: ``snapshots/<stem of the test's file>/``."""

from __future__ import annotations

from pathlib import Path

from pytest_textual_snapshot import SVGImageExtension
from syrupy.location import PyTestLocation

ROOT = Path(__file__).parent.parent.parent
SNAPSHOTS = ROOT / "snapshots"


class ScreenSnapshot(SVGImageExtension):
    """A screen as SVG text."""

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(SNAPSHOTS / Path(test_location.filepath).stem)
