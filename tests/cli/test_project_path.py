"""``--project-path`` is checked like a node's `project`, before any connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli.exits import UsageError
from tui.cli.main import build_parser
from tui.cli.run_options import run_inventory_of


@pytest.mark.parametrize("path", ["C:\\", "\\\\server\\share\\p", "train", "/", "C:\\" + "p" * 240])
def test_a_folder_that_no_worker_can_use_is_refused(path: str, tmp_path: Path) -> None:
    words = ["up", "--project", str(tmp_path), "--workers", "192.0.2.1", "--project-path", path]
    with pytest.raises(UsageError, match="--project-path"):
        run_inventory_of(build_parser().parse_args(words), "up")
