"""Texts as vectors of a pretrained encoder, for those who want one; hashed words need nothing of this.

The encoder is frozen, so what it says of a text never changes: it is asked once, when the cache of a data
folder is made, and training reads vectors instead of words. Needs transformers (the extra ``pretrained``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from trainer.errors import ConfigError, PretrainedError

#: Texts that are encoded together.
_BATCH = 16
_HASHED = "or set model.text_encoder to hashed, which needs no download"


class PretrainedText:
    """The encoder of a transformers model; ``length`` tokens are kept of a text."""

    def __init__(self, name: str, length: int, device: torch.device) -> None:
        """Load a folder or a hub's name; raises PretrainedError with what to install or fetch."""
        self.name = name
        self._length, self._device = length, device
        self._tokenizer, self._encoder = _load(name, device)
        #: Numbers a token.
        self.width = int(self._encoder.config.hidden_size)
        #: Of weights and vocabulary: the same encoder has the same, whatever its folder is called.
        self.fingerprint = _fingerprint(self._tokenizer, self._encoder)
        known = (
            getattr(self._tokenizer, "model_max_length", None),
            getattr(self._encoder.config, "max_position_embeddings", None),
        )
        self._limit = min([length, *(most for most in known if isinstance(most, int) and most > 0)])

    def about(self) -> dict[str, str]:
        """Return what a checkpoint says of its encoder."""
        return {"name": self.name, "fingerprint": self.fingerprint}

    @torch.no_grad()
    def states(self, texts: Sequence[str]) -> Tensor:
        """Return float16 (B, T, width) on the CPU; places without a token are zero."""
        read = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._limit, return_tensors="pt"
        ).to(self._device)
        # Clamped: a state beyond float16 would be infinite, and all that follows no number.
        most = torch.finfo(torch.float16).max
        states = torch.zeros(len(texts), self._length, self.width, dtype=torch.float16)
        if read["input_ids"].shape[1] == 0:
            return states
        seen = self._encoder(input_ids=read["input_ids"], attention_mask=read["attention_mask"])
        told = seen.last_hidden_state.float() * read["attention_mask"].unsqueeze(-1)
        states[:, : told.shape[1]] = told.clamp(-most, most).half().cpu()
        return states

    def size(self, texts: int) -> int:
        """Return the bytes that the vectors of so many texts take."""
        return texts * self._length * self.width * 2

    def all_states(self, texts: Sequence[str]) -> Iterator[tuple[int, Tensor]]:
        """Yield how many texts are done, and the vectors of the last few of them."""
        for at in range(0, len(texts), _BATCH):
            some = texts[at : at + _BATCH]
            yield at + len(some), self.states(some)


def check(encoder: PretrainedText, fingerprint: str) -> PretrainedText:
    """Return the encoder if it is the one that a network has learnt with; raises PretrainedError."""
    if encoder.fingerprint != fingerprint:
        raise PretrainedError(
            f"{encoder.name} is another text encoder than this network was trained with "
            f"({encoder.fingerprint[:12]} instead of {fingerprint[:12]})",
            "name the folder of the right one with --text-encoder",
        )
    return encoder


def _load(name: str, device: torch.device) -> tuple[Any, Any]:
    if not name:
        raise ConfigError(
            "model.text_encoder is pretrained, but model.pretrained names none",
            f"set it to a folder or a hub's name, for example google-t5/t5-base, {_HASHED}",
        )
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise PretrainedError(
            f"model.text_encoder is pretrained, but transformers can't be imported here: {error}",
            f'install it on every node: pip install "dtui[pretrained]", {_HASHED}',
        ) from None
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModel.from_pretrained(name, dtype=torch.float32)
    except Exception as error:  # a hub, a folder and a tokenizer fail in ways of their own
        why = str(error).strip().split("\n")[0] or type(error).__name__
        raise PretrainedError(
            f"the text encoder {name} can't be had: {why}",
            "without a way to the hub, put its files (config.json, model.safetensors, tokenizer.json) into a "
            f"folder and name that in model.pretrained, {_HASHED}",
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    # Of a translator such as T5 only the half that reads.
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return tokenizer, encoder.to(device).eval().requires_grad_(requires_grad=False)


def _fingerprint(tokenizer: Any, encoder: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(sorted(tokenizer.get_vocab().items())).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
