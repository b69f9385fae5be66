"""An optional pretrained text encoder, instead of hashed words.

The encoder is frozen, so a text's states never change: they are computed once, when the cache of a data
folder is built, and training reads states instead of token ids. Needs transformers (the extra
``pretrained``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from trainer.errors import ConfigError, PretrainedError

_BATCH_SIZE = 16
_ALTERNATIVE = "or set model.text_encoder to hashed, which needs no download"


class PretrainedTextEncoder:
    """The encoder of a transformers model; texts are truncated to ``length`` tokens."""

    def __init__(self, name: str, length: int, device: torch.device) -> None:
        """Load the model of a folder or of a hub name; raises PretrainedError."""
        self.name = name
        self._length, self._device = length, device
        self._tokenizer, self._encoder = _load(name, device)
        #: Width of a token's state.
        self.width = int(self._encoder.config.hidden_size)
        #: Digest of weights and vocabulary: it identifies an encoder in any folder.
        self.fingerprint = _fingerprint(self._tokenizer, self._encoder)
        limits = (
            getattr(self._tokenizer, "model_max_length", None),
            getattr(self._encoder.config, "max_position_embeddings", None),
        )
        known_limits = [limit for limit in limits if isinstance(limit, int) and limit > 0]
        self._max_tokens = min([length, *known_limits])

    def identity(self) -> dict[str, str]:
        """Return the name and fingerprint that a checkpoint stores."""
        return {"name": self.name, "fingerprint": self.fingerprint}

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return float16 states (B, T, width) on the CPU, zero at padding."""
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        ).to(self._device)
        states = torch.zeros(len(texts), self._length, self.width, dtype=torch.float16)
        if tokens["input_ids"].shape[1] == 0:
            return states
        output = self._encoder(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        hidden = output.last_hidden_state.float() * tokens["attention_mask"].unsqueeze(-1)
        # Clamped, since a value beyond float16's range would become infinite and the loss NaN.
        largest = torch.finfo(torch.float16).max
        states[:, : hidden.shape[1]] = hidden.clamp(-largest, largest).half().cpu()
        return states

    def states_size(self, text_count: int) -> int:
        """Return the size in bytes of the states of that many texts."""
        return text_count * self._length * self.width * 2

    def encode_in_batches(self, texts: Sequence[str]) -> Iterator[tuple[int, Tensor]]:
        """Yield the number of texts encoded so far, and the states of the latest batch."""
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = texts[start : start + _BATCH_SIZE]
            yield start + len(batch), self.encode(batch)


def check_fingerprint(encoder: PretrainedTextEncoder, fingerprint: str) -> PretrainedTextEncoder:
    """Return the encoder if it has this fingerprint; raises PretrainedError otherwise."""
    if encoder.fingerprint != fingerprint:
        raise PretrainedError(
            f"{encoder.name} is not the text encoder that this network was trained with "
            f"(fingerprint {encoder.fingerprint[:12]} instead of {fingerprint[:12]})",
            "name the folder of that encoder with --text-encoder",
        )
    return encoder


def _load(name: str, device: torch.device) -> tuple[Any, Any]:
    if not name:
        raise ConfigError(
            "model.text_encoder is pretrained, but model.pretrained is empty",
            f"set it to a folder or a hub name, for example google-t5/t5-base, {_ALTERNATIVE}",
        )
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise PretrainedError(
            f"model.text_encoder is pretrained, but transformers cannot be imported: {error}",
            f'install it on every node: pip install "dtui[pretrained]", {_ALTERNATIVE}',
        ) from None
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModel.from_pretrained(name, dtype=torch.float32)
    except Exception as error:  # the hub, the files and the tokenizers raise many types
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise PretrainedError(
            f"the text encoder {name} cannot be loaded: {reason}",
            "if this node cannot reach the hub, put config.json, model.safetensors and tokenizer.json into a "
            f"folder and name the folder in model.pretrained, {_ALTERNATIVE}",
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    # Of an encoder-decoder model such as T5, only the encoder is used.
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return tokenizer, encoder.to(device).eval().requires_grad_(requires_grad=False)


def _fingerprint(tokenizer: Any, encoder: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(sorted(tokenizer.get_vocab().items())).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
