from __future__ import annotations

import pytest
import torch

from trainer.error_hints import hint_for

pytestmark = pytest.mark.torch


def test_known_errors_have_a_hint() -> None:
    out_of_memory = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    assert "training.batch_size" in hint_for(out_of_memory)
    closed = RuntimeError("Connection closed by peer [10.0.0.2]:4242")
    assert "log of the rank that ended first" in hint_for(closed)
    assert "another port" in hint_for(RuntimeError("bind: errno 98 (Address already in use)"))
    no_triton = RuntimeError("TritonMissing: Cannot find a working triton installation.")
    assert "install it" in hint_for(no_triton)
    assert hint_for(ValueError("something else")) == ""
