"""No secret is left in a masked value, whatever the shape it stands in; the rest is untouched."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.secrets import MASK, Secret, masked, masked_arguments, masked_text

X = "hunter2-4f9c"


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": X},
        {"loggers": [{"name": "wandb", "api_key": X}]},
        {"a": [[{"b": [{"wandb_key": X}]}]]},
        {"auth": {"user": X, "more": [X, {"x": X}]}},
        {"bearer": [X]},
        {"access_key_id": X, "cookie": X},
        {"data": f"s3://kim:{X}@host/bucket"},
        [f"postgres://kim:{X}@db:5432/runs?sslmode=off"],
        {"remote": f"https://{X}@github.com/kim/plans"},
        {"hook": f"https://host/path?size=3&token={X}&page=2"},
        {"url": f"url=https://host/path?token={X}"},
        {"args": ["--wandb-key", X, "--steps", "5"]},
        {"args": [f"--api-key={X}", "-x"]},
        {"args": [f"--api-key={X} with blanks {X}"]},
        {"env": [f"WANDB_API_KEY={X}", "A=1"]},
        {"env": [{"name": "WANDB_API_KEY", "value": X}]},
        {"command": f"train --wandb-key {X} --steps 5"},
        {"command": f"WANDB_API_KEY={X} python -m trainer"},
        {"header": f"Authorization: Bearer {X}"},
        {"header": f"Authorization: Basic {X}"},
        {"header": f"use Bearer {X} there"},
        {"json": json.dumps({"api_key": X, "n": 1})},
        {"json": json.dumps({"a": {"secret": X}})},
        {"비밀번호": X},
        (f"password='{X}'",),
        {"secret": b"hunter2-4f9c"},
    ],
)
def test_no_secret_is_left(value: object) -> None:
    assert X not in repr(masked(value))
    assert MASK in repr(masked(value))


@pytest.mark.parametrize(
    "value",
    [
        {"token": 5, "session": True, "password": None, "secret": 1.5, "api_key": ""},
        {"max_tokens": 64, "tokenizer": "bert", "pad_token": "<pad>", "key_size": "3"},
        {"data": "s3://bucket/path", "address": "ssh://git@host/x", "time": "12:30:00", "lr": "1e-3"},
        {"args": ["--steps", "5", "--tokenizer", "x", "-v", "--key=3"]},
        {"windows": "C:\\train\\data", "url": "https://host:8080/path"},
        [1, 2.5, None, True, ["a", {"b": "c"}]],
    ],
)
def test_what_is_no_secret_stays(value: object) -> None:
    assert masked(value) == value


def test_arguments_keep_their_order_and_number() -> None:
    words = ["python", "-m", "x", "--api-key", "--verbose", "--token", X, f"--pw={X}", "--steps", "5"]
    assert masked_arguments(words) == [
        "python", "-m", "x", "--api-key", "--verbose", "--token", MASK, f"--pw={MASK}", "--steps", "5",
    ]  # fmt: skip


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_masking_twice_changes_nothing_more(value: Any) -> None:
    once = masked(value)
    assert masked(once) == once


@pytest.mark.parametrize(
    "piece", ["a=", "token=", "--x ", "://", "://a@", "bearer ", 'a"=', "-", "x", "=:", "https://a:b@"]
)
def test_time_is_linear(piece: str) -> None:
    begin = time.process_time()
    masked_text(piece * (400_000 // len(piece)))
    assert time.process_time() - begin < 60.0  # in the square, it would be hours


def test_a_secret_value_shows_itself_nowhere() -> None:
    secret = Secret(X)
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>20}",
        f"{secret!s} {[secret]!r}",
        repr({"a": secret}),
    ):
        assert X not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises(TypeError):
        json.dumps({"a": secret})
    assert not hasattr(secret, "__dict__")
    assert secret == Secret(X)
    assert secret != Secret("other")
    assert secret.reveal() == X


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * (64 * 1024 + 1)])
def test_what_no_variable_can_hold_is_a_fault(text: str) -> None:
    assert Secret(text).fault
    assert text not in Secret(text).fault or not text
