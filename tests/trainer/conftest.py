from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.training_runs import Project
from trainer.dataset.synthetic import write_pairs


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic pairs, 40 for training and 8 held out."""
    folder = tmp_path_factory.mktemp("pairs") / "data"
    write_pairs(folder, 40, 32, 0, held_out=8)
    return folder


@pytest.fixture
def project(tmp_path: Path, data: Path) -> Project:
    return Project(tmp_path, data)
