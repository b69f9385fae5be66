"""A network that reads by a pretrained encoder, from training to the plan."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.trainer.encoders import WIDTH, make_encoder
from tests.trainer.ranks import SMALL, Project
from trainer import evaluate, export, sample
from trainer.errors import ConfigError, PretrainedError
from trainer.pretrained import PretrainedText

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
TEXTS = ["the kitchen is north", "거실은 남쪽 the bathroom is east of the kitchen 9 by 7"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "bert")


@pytest.mark.parametrize("t5", [False, True])
def test_a_text_is_the_states_of_its_tokens_and_zero_elsewhere(tmp_path: Path, t5: bool) -> None:
    read = PretrainedText(str(make_encoder(tmp_path, t5=t5)), 24, CPU)
    states = read.states(TEXTS)
    assert states.shape == (2, 24, WIDTH)
    assert states.dtype == torch.float16
    assert [int((row.abs().sum(1) > 0).sum()) for row in states] == [4, 12]
    # What stands beside a text in a batch does not change it.
    assert torch.allclose(read.states(TEXTS[:1])[0], states[0], atol=1e-3)
    assert read.states(["the " * 100])[0].abs().sum(1).count_nonzero() == 20
    assert not read.states([""]).any()
    assert not any(parameter.requires_grad for parameter in read._encoder.parameters())


def test_training_and_everything_after_it_reads_by_the_encoder(
    project: Project, encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = {"model__text_encoder": "pretrained", "model__pretrained": encoder}
    ranks = project.finish("read", 2, training__eval_pairs=3, training__max_steps=4, **reading)
    # Both stand for a node of their own, but share the cache: whoever comes late maps what the other wrote.
    assert any(f"{encoder}: 40 of 40 texts encoded" in rank.text for rank in ranks)
    folder = project.folder / "checkpoints/read/step-00000004"
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert state["text_encoder"] == PretrainedText(str(encoder), 24, CPU).about()
    assert state["shape"]["text_width"] == WIDTH
    on = project.finish("on", 1, training__max_steps=6, **reading)[0]
    assert "Resumed from checkpoints/read/step-00000004" in on.text
    assert "texts encoded" not in on.text

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

    # The encoder is somewhere else on this machine, or it is another one, or nobody can load it.
    moved, other = make_encoder(Path("moved")), make_encoder(Path("other"), seed=1)
    assert sample.main(["--text", "x", "--text-encoder", str(moved), "--steps", "1"]) == 0
    assert sample.main(["--text", "x", "--text-encoder", str(other)]) == 1
    assert "other is another text encoder than this network was trained with" in capsys.readouterr().err
    wrong = project.start(
        "wrong", 1, arguments=("--resume", str(folder)), **{**reading, "model__pretrained": other}
    )
    assert wrong[0].wait() == 1
    assert "was trained with another pretrained text encoder" in wrong[0].text
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert sample.main(["--text", "x"]) == 1
    assert 'pip install "dtui[pretrained]"' in capsys.readouterr().err


def test_without_the_encoder_a_person_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        PretrainedError, match=r"can't be had: [^\n]+\n  -> without a way to the hub, put its"
    ):
        PretrainedText(str(tmp_path / "gone"), 24, CPU)
    with pytest.raises(ConfigError, match="names none"):
        PretrainedText("", 24, CPU)


def test_mirrored_texts_need_words(project: Project) -> None:
    (rank,) = project.start("mirrored", 1, data__mirror="true", model__text_encoder="pretrained")
    assert rank.wait() == 2
    assert "data.mirror changes words" in rank.text
