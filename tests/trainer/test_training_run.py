"""Whole runs with real processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.support.ports import free_port
from tests.trainer.training_runs import ROOT, SMALL, Project, wait_for
from trainer import evaluate, export, sample
from trainer.metrics_logger import PHASES

pytestmark = pytest.mark.torch


def saved_tensors(project: Project, run: str, step: int, name: str) -> dict[str, torch.Tensor]:
    return load_file(project.folder / f"checkpoints/{run}/step-{step:08d}/{name}.safetensors")


def assert_tensors_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_two_ranks_train_one_network_and_write_logs_metrics_checkpoints_and_samples(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = project.finish("first", 2, training__eval_pairs=3, training__gradient_accumulation_steps=2)
    for number, rank in enumerate(ranks):
        lines = rank.text.splitlines()
        expected = [
            "Initializing distributed training...",
            f"Rank {number}/2 initialized",
            "All processes joined successfully",
            "Training started with 2 CPU processes across 2 nodes",
        ]
        assert [line for line in lines if line in expected] == expected
        assert any(
            "effective batch 8 = 2 per process x 2 processes x 2 accumulated" in line for line in lines
        )
        log = (project.folder / f"logs/train_first_rank{number}.log").read_text(encoding="utf-8")
        assert all(line in log for line in expected)
        assert all(record["rank"] == number and record["t"] > 1e9 for record in rank.records)
        phases = [record["phase"] for record in rank.records_of_kind("phase")]
        assert phases[:5] == ["starting", "importing", "joining", "joined", "training"]
        assert phases[-1] == "done"
        assert set(phases) <= set(PHASES)
        assert [record["step"] for record in rank.records_of_kind("step")] == [1, 2, 3, 4, 5, 6]
        assert rank.records[-1]["kind"] == "exit"
        assert rank.records[-1]["code"] == 0
    first, second = (rank.records_of_kind("step") for rank in ranks)
    assert [record["loss"] for record in first] == [record["loss"] for record in second]
    assert [record["grad_norm"] for record in first] == [record["grad_norm"] for record in second]
    metrics = {
        "loss",
        "lr",
        "grad_norm",
        "samples_s",
        "step_time",
        "data_time",
        "comm_time",
        "mem_gb",
        "mfu",
        "eta_s",
    }
    assert metrics <= first[-1].keys()
    assert first[-1]["comm_time"] > 0
    assert [record["step"] for record in ranks[0].records_of_kind("ckpt")] == [4, 6]
    assert ranks[0].records_of_kind("eval")[0]["pairs"] == 3
    assert ranks[0].records_of_kind("eval")[0]["loss"] == ranks[1].records_of_kind("eval")[0]["loss"]
    grid = Image.open(project.folder / "checkpoints/first/samples/step-00000006.png")
    assert grid.size == (2 * 136, 2 * 136)
    best = json.loads((project.folder / "checkpoints/first/best.json").read_text(encoding="utf-8"))
    assert best["step"] == 6

    # Evaluation, export and sampling use the files of the run.
    monkeypatch.chdir(project.folder)
    data = [f"--set=data.root={project.data}", f"--set=data.cache_folder={project.folder / 'cache'}"]
    data += [f"--set={key}={value}" for key, value in SMALL.items()]
    assert evaluate.main(["--config", "config.yaml", *data, "--json", "--candidates", "2"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["method"] for result in results] == ["network", "random", "retrieval"]
    assert all(0 <= result["iou_pooled"] <= 100 and result["pairs"] == 8 for result in results)
    assert export.main(["-o", "plans.safetensors"]) == 0
    for source in ("checkpoints", "plans.safetensors"):
        arguments = ["--text", "부엌 북동쪽", "--steps", "2", "--checkpoint", source, "-o", f"{source}.png"]
        assert sample.main(arguments) == 0
    assert Path("checkpoints.png").read_bytes() == Path("plans.safetensors.png").read_bytes()
    assert Image.open("checkpoints.png").size == (32, 32)


def test_a_killed_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(project: Project) -> None:
    """With three ranks, where the order of sums matters, bf16 compression, and mirroring."""
    options = {
        "data__mirror": "true",
        "model__vocabulary": 8192,
        "training__max_steps": 6,
        "training__save_every": 3,
        "communication__gradient_compression": "bf16",
    }
    uninterrupted = project.finish("uninterrupted", 3, arguments=("--resume", "none"), **options)[0]
    killed = project.start("killed", 3, arguments=("--resume", "none"), **options)
    wait_for(lambda: bool(killed[0].records_of_kind("ckpt")), "a checkpoint")
    for rank in killed:
        rank.process.kill()
        rank.wait()
    assert not [record for record in killed[0].records if record["kind"] == "exit"]
    resumed = project.finish("resumed", 3, **options)[0]
    step = killed[0].records_of_kind("ckpt")[-1]["step"]
    assert f"Resumed from checkpoints/killed/step-{step:08d} at step {step}" in resumed.text
    before = {
        record["step"]: (record["loss"], record["grad_norm"])
        for record in uninterrupted.records_of_kind("step")
    }
    after = {
        record["step"]: (record["loss"], record["grad_norm"]) for record in resumed.records_of_kind("step")
    }
    assert after == {number: value for number, value in before.items() if number > step}
    for name in ("model", "ema", "optimizer"):
        assert_tensors_equal(
            saved_tensors(project, "uninterrupted", 6, name), saved_tensors(project, "resumed", 6, name)
        )


@pytest.mark.full
def test_a_resumed_diloco_run_equals_an_uninterrupted_one_bit_for_bit(project: Project) -> None:
    options = {
        "training__max_steps": 8,
        "training__save_every": 4,
        "communication__diloco_steps": 3,
        "communication__gradient_compression": "fp16",
    }
    project.finish("whole", 2, arguments=("--resume", "none"), training__max_checkpoints=5, **options)
    first = project.folder / "checkpoints/whole/step-00000004"
    project.finish("rest", 2, arguments=("--resume", str(first)), **options)
    for name in ("model", "ema", "optimizer", "outer"):
        assert_tensors_equal(
            saved_tensors(project, "whole", 8, name), saved_tensors(project, "rest", 8, name)
        )


@pytest.mark.full
def test_a_stop_file_ends_all_ranks_with_a_checkpoint_that_another_number_of_ranks_resumes(
    project: Project,
) -> None:
    stop = project.folder / "stop"
    ranks = project.start("long", 2, stop=stop, training__max_steps=100000, training__save_every=100000)
    wait_for(lambda: len(ranks[1].records_of_kind("step")) > 1, "a step")
    stop.touch()
    for rank in ranks:
        assert rank.wait() == 0, rank.text
    last = ranks[0].records_of_kind("ckpt")[-1]["step"]
    assert [rank.records[-1]["reason"] for rank in ranks] == ["stopped", "stopped"]
    assert [rank.records_of_kind("step")[-1]["step"] for rank in ranks] == [last, last]
    alone = project.finish("alone", 1, training__max_steps=last + 2, training__num_workers=1)[0]
    assert (
        f"Resumed from checkpoints/long/step-{last:08d} at step {last}, {last * 4} pairs seen" in alone.text
    )
    assert [record["samples"] for record in alone.records_of_kind("step")] == [last * 4 + 2, last * 4 + 4]
    # A finished run is not resumed.
    again = project.finish("again", 1, training__max_steps=last + 2, training__save_every=100000)[0]
    assert "is the end of a finished run: starting from scratch" in again.text
    assert again.records_of_kind("step")[0]["step"] == 1


def test_sigterm_to_one_rank_ends_all_ranks_with_a_checkpoint(project: Project) -> None:
    ranks = project.start("term", 2, training__max_steps=100000, training__save_every=100000)
    wait_for(lambda: len(ranks[0].records_of_kind("step")) > 1, "a step")
    ranks[1].process.terminate()
    for rank in ranks:
        assert rank.wait() == 0, rank.text
    assert [rank.records[-1]["reason"] for rank in ranks] == ["stopped", "stopped"]
    assert ranks[0].records_of_kind("ckpt")[-1]["step"] == ranks[1].records_of_kind("step")[-1]["step"]


def test_ranks_with_different_options_refuse_to_train(project: Project) -> None:
    ranks = project.start(
        "split", 2, options_of_rank=lambda rank: {"training.learning_rate": 1e-3 * (rank + 1)}
    )
    for rank in ranks:
        assert rank.wait() == 1
        assert (
            "configuration and trainer code differ between nodes: node1 against node0 (rank 0)" in rank.text
        )
        assert rank.records[-1]["code"] == 1


def test_accelerate_launch_starts_the_same_run(project: Project) -> None:
    config = {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "machine_rank": 0,
        "main_process_ip": "127.0.0.1", "main_process_port": free_port(), "num_machines": 1,
        "num_processes": 2,
        "rdzv_backend": "static", "same_network": True, "mixed_precision": "no", "use_cpu": False,
    }  # fmt: skip
    (project.folder / "accelerate.yaml").write_text(json.dumps(config), encoding="utf-8")
    (project.folder / "config.yaml").touch()
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accelerate.yaml"]
    command += ["-m", "trainer", "--config", "config.yaml"]
    values = {**SMALL, "data.root": project.data, "data.cache_folder": "cache", "training.max_steps": 2}
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    environment = {
        "ACCELERATE_USE_CPU": "true",
        "DTUI_RUN_ID": "by-hand",
        "PYTHONPATH": str(ROOT),
        "HOME": ".",
    }
    ended = subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Training started with 2 CPU processes across 1 node" in ended.stdout
    assert (project.folder / "logs/metrics_by-hand_rank1.jsonl").exists()
    assert (project.folder / "checkpoints/by-hand/step-00000002/state.json").exists()


def test_without_data_val_a_part_of_the_training_pairs_is_held_out(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project.data / "train", project.folder / "data/train")
    own = {"data__root": "data", "training__max_steps": 2, "training__eval_pairs": 64}
    new = project.finish("new", 1, arguments=("--resume", "none"), **own)[0]
    assert (
        f"{Path('data/val')} does not exist: 2 of the 40 pairs in {Path('data/train')} are held out"
        in new.text
    )
    assert "Evaluation of 2 held-out pairs at step 2" in new.text
    assert (project.folder / "checkpoints/new/best.json").exists()
    monkeypatch.chdir(project.folder)
    values = {**SMALL, "data.root": "data", "data.cache_folder": "cache"}
    score = ["--config", "config.yaml", "--json", *(f"--set={key}={value}" for key, value in values.items())]
    assert evaluate.main(score) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(result["method"], result["pairs"]) for result in results] == [
        ("network", 2), ("random", 2), ("retrieval", 2),
    ]  # fmt: skip

    # With data/val, all pairs of data/train are trained on: when it is gone, none of them is held out.
    shutil.copytree(project.data / "val", project.folder / "data/val")
    project.finish("val", 1, arguments=("--resume", "none"), **own)
    shutil.rmtree(project.folder / "data/val")
    later = project.finish(
        "later", 1, arguments=("--resume", "checkpoints/val"), **own | {"training__max_steps": 4}
    )[0]
    assert "was trained on all pairs: evaluations are of training pairs" in later.text
    assert "Evaluation of 2 training pairs at step 4" in later.text
    assert "held-out" not in later.text
    assert not (project.folder / "checkpoints/later/best.json").exists()
    assert evaluate.main([*score, "--checkpoint", "checkpoints/later"]) != 0
    assert "this network was trained on the pairs in" in capsys.readouterr().err


def test_each_node_reads_the_data_folder_that_nodes_yaml_names_for_it(project: Project) -> None:
    folders = [project.folder / "here", project.folder / "other disk/data"]
    for folder in folders:
        shutil.copytree(project.data, folder)
    ranks = project.finish(
        "two", 2, training__max_steps=1, options_of_rank=lambda rank: {"DTUI_DATA": folders[rank]}
    )
    for rank, folder in zip(ranks, folders, strict=True):
        assert f"{folder / 'train'}: 40 pairs" in rank.text
