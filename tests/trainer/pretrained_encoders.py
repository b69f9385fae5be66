"""Pretrained text encoders for tests: tiny, with random weights, saved into a folder."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, T5Config, T5Model

WIDTH = 16
_WORDS = (
    "the kitchen living room bathroom master balcony is north east south west at by 부엌은 북쪽 거실은 남쪽"
)


def make_encoder(folder: Path, *, seed: int = 0, t5: bool = False) -> Path:
    """Save an encoder of ``WIDTH``; its weights depend on the seed."""
    words = ["[PAD]", "[UNK]", *_WORDS.split(), *map(str, range(40))]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")  # type: ignore[call-arg]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=20
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    size = {"vocab_size": len(words), "pad_token_id": 0}
    model = (
        T5Model(T5Config(**size, d_model=WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2))
        if t5
        else BertModel(
            BertConfig(
                **size, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
            )
        )
    )
    model.save_pretrained(folder)
    return folder
