"""A node that lies about its data: nothing is overwritten or deleted that the user did not ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.wire.deploy import Differences
from fleet.deploy.compare import answer_fault
from fleet.deploy.scan import Scan, SourceFile, scan_data

HONEST: Differences = {
    "need": [], "exists": [], "verify": [], "staged": [], "adjust": [], "delete": [], "kept": [],
    "forget": [], "faults": [],
}  # fmt: skip


@pytest.fixture
def scanned(tmp_path: Path) -> Scan:
    (tmp_path / "a").write_text("a")
    return scan_data(tmp_path, tmp_path, None)


@pytest.mark.parametrize(
    "lie",
    [{"need": [0], "exists": [0]}, {"verify": [(0, "d")]}, {"adjust": [0]}, {"delete": [("a", 1)]}],
    ids=lambda lie: next(reversed(lie)),
)
def test_a_copy_of_missing_files_accepts_no_change_of_others(scanned: Scan, lie: Differences) -> None:
    assert answer_fault(HONEST, scanned, "once") is None
    assert answer_fault({**HONEST, **lie}, scanned, "once") is not None
    assert answer_fault({**HONEST, **lie}, scanned, "mirror") is None


def test_a_mirror_asks_for_no_file_that_is_not_listed(scanned: Scan) -> None:
    assert scanned.files == (SourceFile("a", 1, scanned.files[0].mtime_ns, scanned.files[0].executable),)
    for number in (-1, 1):
        assert answer_fault({**HONEST, "need": [number]}, scanned, "mirror") is not None
