"""A pretrained text encoder, from preprocessing to sampling."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.trainer.pretrained_encoders import WIDTH, make_encoder
from tests.trainer.training_runs import SMALL, Project
from trainer import evaluate, export, sample
from trainer.dataset.pretrained_encoder import PretrainedTextEncoder
from trainer.errors import ConfigError, PretrainedError

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
TEXTS = ["the kitchen is north", "거실은 남쪽 the bathroom is east of the kitchen 9 by 7"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "bert")


@pytest.mark.parametrize("t5", [False, True])
def test_states_are_zero_at_padding_and_do_not_depend_on_the_batch(tmp_path: Path, t5: bool) -> None:
    encoder = PretrainedTextEncoder(str(make_encoder(tmp_path, t5=t5)), 24, CPU)
    states = encoder.encode(TEXTS)
    assert states.shape == (2, 24, WIDTH)
    assert states.dtype == torch.float16
    assert [int((row.abs().sum(1) > 0).sum()) for row in states] == [4, 12]
    assert torch.allclose(encoder.encode(TEXTS[:1])[0], states[0], atol=1e-3)
    assert encoder.encode(["the " * 100])[0].abs().sum(1).count_nonzero() == 20
    assert not encoder.encode([""]).any()
    assert not any(parameter.requires_grad for parameter in encoder._encoder.parameters())


@pytest.mark.full
def test_training_evaluation_export_and_sampling_use_the_encoder(
    project: Project, encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"model__text_encoder": "pretrained", "model__pretrained": encoder}
    ranks = project.finish("first", 2, training__eval_pairs=3, training__max_steps=4, **options)
    # The ranks are on different nodes but share the cache folder, so one of them may find a cache.
    assert any(f"{encoder}: 40 of 40 texts encoded" in rank.text for rank in ranks)
    folder = project.folder / "checkpoints/first/step-00000004"
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert state["text_encoder"] == PretrainedTextEncoder(str(encoder), 24, CPU).identity()
    assert state["shape"]["text_width"] == WIDTH
    resumed = project.finish("resumed", 1, training__max_steps=6, **options)[0]
    assert "Resumed from checkpoints/first/step-00000004" in resumed.text
    assert "texts encoded" not in resumed.text

    monkeypatch.chdir(project.folder)
    data = [f"--set=data.root={project.data}", f"--set=data.cache_folder={project.folder / 'cache'}"]
    data += [f"--set={key}={value}" for key, value in SMALL.items()]
    assert evaluate.main(["--config", "config.yaml", *data, "--json"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["method"] for result in results] == ["network", "random", "retrieval"]
    assert export.main(["-o", "plans.safetensors"]) == 0
    for source in ("checkpoints", "plans.safetensors"):
        arguments = ["--text", TEXTS[1], "--steps", "2", "--checkpoint", source, "-o", f"{source}.png"]
        assert sample.main(arguments) == 0
    assert Path("checkpoints.png").read_bytes() == Path("plans.safetensors.png").read_bytes()
    assert Image.open("checkpoints.png").size == (32, 32)

    # The same encoder in another folder is accepted, another encoder is rejected.
    moved, other = make_encoder(Path("moved")), make_encoder(Path("other"), seed=1)
    assert sample.main(["--text", "x", "--text-encoder", str(moved), "--steps", "1"]) == 0
    assert sample.main(["--text", "x", "--text-encoder", str(other)]) == 1
    assert "other is not the text encoder that this network was trained with" in capsys.readouterr().err
    wrong = project.start(
        "wrong", 1, arguments=("--resume", str(folder)), **{**options, "model__pretrained": other}
    )
    assert wrong[0].wait() == 1
    assert "was trained with another pretrained text encoder" in wrong[0].text
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert sample.main(["--text", "x"]) == 1
    assert 'pip install "dtui[pretrained]"' in capsys.readouterr().err


def test_an_encoder_that_cannot_be_loaded_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        PretrainedError, match=r"cannot be loaded: [^\n]+\n  -> if this node cannot reach the hub, put config"
    ):
        PretrainedTextEncoder(str(tmp_path / "gone"), 24, CPU)
    with pytest.raises(ConfigError, match=r"model\.pretrained is empty"):
        PretrainedTextEncoder("", 24, CPU)


def test_mirroring_is_rejected_with_a_pretrained_encoder(project: Project) -> None:
    (rank,) = project.start("mirrored", 1, data__mirror="true", model__text_encoder="pretrained")
    assert rank.wait() == 2
    assert "data.mirror changes words" in rank.text
