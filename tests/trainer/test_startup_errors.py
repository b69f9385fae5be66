"""Errors that end a run before its first step."""

from __future__ import annotations

import pytest

from tests.trainer.training_runs import Project

pytestmark = pytest.mark.torch


def test_a_missing_data_folder_is_reported_with_a_remedy(project: Project) -> None:
    rank = project.start("empty", 1, data__root="nowhere")[0]
    assert rank.wait() == 2
    assert "Error: nowhere/train does not exist" in rank.text
    assert "data.generate" in rank.text


def test_an_image_size_that_the_patches_do_not_divide_is_reported(project: Project) -> None:
    rank = project.start("patches", 1, model__size="S/8", data__image_size=36, data__resize="true")[0]
    assert rank.wait() == 2
    assert "images of 36 pixels cannot be divided into patches of 8 (S/8)" in rank.text


def test_the_error_for_a_node_without_the_planned_gpus_names_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTUI_BACKEND", "nccl")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    rank = project.start("no-gpu", 1, use_cpu="")[0]
    assert rank.wait() == 1
    assert "node0: the run is planned for GPUs, but torch" in rank.text
