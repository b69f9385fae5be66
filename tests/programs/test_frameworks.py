"""Programs of each framework over SSH nodes: the world they see, what they learn, where their files are."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from tests.programs.site import Done, ProgramSite

pytestmark = [pytest.mark.torch, pytest.mark.timeout(1800)]


def launch(site: ProgramSite, *words: str, nodes: str = "master,node1", **processes: int) -> Done:
    for node, ranks in processes.items():
        site.entry(node)["processes"] = ranks
    site.save()
    done = site.run("up", "--on", nodes, *words)
    assert done.code == 0, done.said
    return done


def check_equal(results: dict[int, dict[str, Any]], *names: str) -> None:
    """All ranks have the same losses and weights, as data-parallel training leaves them."""
    for name in names:
        assert len({json.dumps(result[name]) for result in results.values()}) == 1, results


@pytest.mark.parametrize(
    ("nodes", "ranks"),
    [
        pytest.param(["master", "node1"], [1, 1], id="2x1"),
        pytest.param(["master", "node1"], [2, 2], id="2x2", marks=pytest.mark.full),
        pytest.param(["node1"], [2], id="1x2", marks=pytest.mark.full),
    ],
)
def test_lightning_trains_one_model_over_the_nodes(
    site: ProgramSite, nodes: list[str], ranks: list[int]
) -> None:
    site.author("lightning_ddp.py")
    words = ("lightning_ddp.py", "--num-nodes", str(len(nodes)), "--devices", str(ranks[0]))
    launch(site, *words, nodes=",".join(nodes), **dict(zip(nodes, ranks, strict=True)))
    results = site.results()
    world = sum(ranks)
    assert list(results) == list(range(world))
    for rank, result in results.items():
        machine, local = divmod(rank, ranks[0])
        assert (result["node"], result["machine"], result["local"]) == (nodes[machine], machine, local)
        assert (result["world"], result["batches"]) == (world, 64 // 8 // world)
    check_equal(results, "loss", "weights")
    assert results[0]["loss"] < 1
    # Lightning's rank 0 alone keeps checkpoints, in the folder where it was started.
    kept = {node: [name for name in site.files(node) if name.endswith(".ckpt")] for node in nodes}
    assert [len(names) for names in kept.values()] == [1, *([0] * (len(nodes) - 1))], kept
    assert kept[nodes[0]][0].startswith("checkpoints/")


@pytest.mark.parametrize(
    "ranks",
    [
        pytest.param({"master": 1, "node1": 1}, id="2x1"),
        pytest.param({"master": 1, "node1": 1, "node2": 1}, id="3x1", marks=pytest.mark.full),
        pytest.param({"node1": 2}, id="1x2", marks=pytest.mark.full),
    ],
)
def test_the_trainer_of_transformers_trains_a_generated_model(
    site: ProgramSite, ranks: dict[str, int]
) -> None:
    site.author("hf_trainer.py")
    launch(site, "hf_trainer.py", nodes=",".join(ranks), **ranks)
    results = site.results()
    assert list(results) == list(range(sum(ranks.values())))
    assert {result["world"] for result in results.values()} == {len(results)}
    # Only the main process keeps a history; weights are everybody's.
    check_equal(results, "weights")
    losses = results[0]["losses"]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    first, *others = ranks
    assert "trained/checkpoint-6/model.safetensors" in site.files(first)
    for node in others:
        assert not {name for name in site.files(node) if name.endswith("model.safetensors")}


def letters(count: int = 4000) -> bytes:
    return struct.pack(f"<{count}H", *(number * number % 27 for number in range(count)))


@pytest.mark.parametrize(
    "ranks",
    [
        pytest.param({"master": 1, "node1": 1}, id="2x1"),
        pytest.param({"master": 2, "node1": 1, "node2": 1}, id="uneven", marks=pytest.mark.full),
    ],
)
def test_a_small_gpt_reads_its_data_and_settings_and_keeps_its_checkpoint(
    site: ProgramSite, ranks: dict[str, int]
) -> None:
    site.author("char_gpt.py", "train.py")
    site.write({"config/small.py": "max_iters = 4\nout_dir = 'out-small'\n"})
    site.write({"data/letters/train.bin": letters(), "data/letters/prepare.py": "raise SystemExit(1)\n"})
    words = ("train.py", "config/small.py", "--max_iters=6", "--learning_rate=1e-2")
    done = launch(site, *words, nodes=",".join(ranks), **ranks)
    results = site.results()
    assert list(results) == list(range(sum(ranks.values())))
    assert {result["world"] for result in results.values()} == {len(results)}
    check_equal(results, "losses", "weights")
    losses = results[0]["losses"]
    assert len(losses) == 6, "the command line stands over the file"
    assert losses[-1] < losses[0]
    assert f"iter 6: loss {losses[-1]:.4f}" in done.out
    first, *others = ranks
    assert "out-small/ckpt.pt" in site.files(first)
    assert not [node for node in others if "out-small/ckpt.pt" in site.files(node)]
    # Neither what the run wrote nor the inventory is code: the next launch starts at once.
    again = site.run("launch", "--on", ",".join(ranks), *words)
    assert again.code == 0, again.said
    assert site.results()[0]["losses"] == losses


@pytest.mark.full
def test_a_program_that_calls_torchrun_on_each_node(site: ProgramSite) -> None:
    site.author("torchrun_inside.py")
    launch(site, "torchrun_inside.py")
    found = {
        rank: (result["outer"], result["world"], result["total"]) for rank, result in site.results().items()
    }
    assert found == {0: (0, 2, 11), 1: (0, 2, 11), 2: (1, 2, 11), 3: (1, 2, 11)}


@pytest.mark.full
def test_a_program_that_spawns_its_workers(site: ProgramSite) -> None:
    site.author("spawned.py")
    launch(site, "spawned.py")
    results = site.results()
    assert [result["node"] for result in results.values()] == ["master", "master", "node1", "node1"]
    assert {(result["world"], result["total"]) for result in results.values()} == {(4, 1111)}
    assert len({result["pid"] for result in results.values()}) == 4
