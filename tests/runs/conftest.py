"""Whatever a test leaves running is ended after it; agents are cached, and logins have a home, per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.processes import Identity, end
from agent.supervisor.folder import run_folders
from agent.supervisor.status import identities, seen


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # The start files of the developer's own shell take their time.
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield
    for project in tmp_path.iterdir():
        for folder in run_folders(str(project)):
            status = seen(folder) or {}
            supervisor = Identity.from_json(status.get("supervisor"))
            end([supervisor] if supervisor else [], timeout=0.0)
            end(identities(status), timeout=0.0, mark=folder.mark)
