"""Augmentation: plans are mirrored at random together with their texts, so that one pair becomes four.

A mirrored plan is a valid plan if east and west, or north and south, are swapped in its text. Texts are
token ids here (trainer.dataset.tokenizer), so words are swapped by a table of ids. English and Korean are
supported. Texts in other languages stay unchanged, so their plans must not be mirrored if the texts name
directions.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from trainer.dataset.tokenizer import PAD_ID, encode_text
from trainer.errors import ConfigError

#: Words that are swapped by a left-right flip, and by an up-down flip.
_EAST_WEST = (("east", "west"), ("eastern", "western"), ("left", "right"), ("leftmost", "rightmost"))
_NORTH_SOUTH = (("north", "south"), ("northern", "southern"), ("top", "bottom"), ("upper", "lower"))
#: Endings of words for corners: northeast, northeastern.
_CORNER_ENDINGS = ("", "ern")
#: Korean is split by character, and 동, 서, 남, 북 are parts of many words. They are directions only next
#: to one of these suffixes or to each other.
_KOREAN_EAST_WEST, _KOREAN_NORTH_SOUTH = ("동", "서"), ("북", "남")
_KOREAN_SUFFIXES = ("쪽", "측", "향", "편")
#: The particle 에서 ("in, from") is the most common word with 서.
_KOREAN_PARTICLE_START = "에"


class MirrorAugmentation:
    """Flips pairs of a batch at random: not at all, up-down, left-right, or both."""

    def __init__(self, vocabulary_size: int, device: torch.device) -> None:
        """Raises ConfigError if the vocabulary is so small that two directions have the same token id."""
        self._id_of = {word: int(encode_text(word, 1, vocabulary_size)[0]) for word in _all_words()}
        if len(set(self._id_of.values())) < len(self._id_of):
            raise ConfigError(
                f"data.mirror: with a vocabulary of {vocabulary_size}, words for directions share a token id",
                "set model.vocabulary to its default, 8192, or data.mirror to false",
            )
        flips = list(itertools.product((False, True), repeat=2))
        english = [self._id_table(vocabulary_size, _english_swaps(*flip)) for flip in flips]
        korean = [self._id_table(vocabulary_size, _korean_swaps(*flip)) for flip in flips]
        self._english, self._korean = torch.stack(english).to(device), torch.stack(korean).to(device)
        directions = (*_KOREAN_EAST_WEST, *_KOREAN_NORTH_SOUTH)
        self._is_direction = self._id_mask(vocabulary_size, directions).to(device)
        self._is_suffix = self._id_mask(vocabulary_size, _KOREAN_SUFFIXES).to(device)

    def __call__(
        self, images: Tensor, token_ids: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return images (B, H, W) or (B, H, W, 3) and ids (B, T), each pair flipped at random."""
        flips = torch.randint(4, (len(images),), generator=generator, device=images.device)
        return self.flip(images, token_ids, flips)

    def flip(self, images: Tensor, token_ids: Tensor, flips: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pairs flipped by ``flips`` (B,): 0 not at all, 1 up-down, 2 left-right, 3 both."""
        per_image = flips.view(-1, *[1] * (images.ndim - 1))
        images = torch.where(per_image % 2 == 1, images.flip(1), images)
        images = torch.where(per_image >= 2, images.flip(2), images)
        ids = token_ids.long()
        english = self._english[flips[:, None], ids]
        korean = self._korean[flips[:, None], ids]
        return images, torch.where(self._korean_directions(ids), korean, english).to(token_ids.dtype)

    def _korean_directions(self, ids: Tensor) -> Tensor:
        """Return which ids (B, T) are Korean directions, as bool (B, T)."""
        direction = self._is_direction[ids]
        previous, following = ids.roll(1, 1), ids.roll(-1, 1)
        previous[:, 0], following[:, -1] = PAD_ID, PAD_ID
        has_suffix = self._is_suffix[following]
        # In "에서 남쪽", 서 belongs to the particle before it; in "에 서쪽" it is a direction.
        after_particle_start = previous == self._id_of[_KOREAN_PARTICLE_START]
        direction = direction & ~((ids == self._id_of["서"]) & after_particle_start & ~has_suffix)
        after_direction = direction.roll(1, 1)
        after_direction[:, 0] = False
        before_direction = direction.roll(-1, 1)
        before_direction[:, -1] = False
        return direction & (has_suffix | after_direction | before_direction)

    def _id_table(self, vocabulary_size: int, swaps: list[tuple[str, str]]) -> Tensor:
        table = torch.arange(vocabulary_size)
        for word, replacement in swaps:
            table[self._id_of[word]] = self._id_of[replacement]
        return table

    def _id_mask(self, vocabulary_size: int, words: tuple[str, ...]) -> Tensor:
        mask = torch.zeros(vocabulary_size, dtype=torch.bool)
        mask[[self._id_of[word] for word in words]] = True
        return mask


def _english_swaps(east_west: bool, north_south: bool) -> list[tuple[str, str]]:
    """Return each word for a direction with its replacement."""
    horizontal, vertical = _both_directions(_EAST_WEST), _both_directions(_NORTH_SOUTH)
    swapped = {word: (other if east_west else word) for word, other in horizontal.items()}
    swapped |= {word: (other if north_south else word) for word, other in vertical.items()}
    corners = list(itertools.product(("north", "south"), ("east", "west")))
    long = [(f"{v}{h}{end}", f"{swapped[v]}{swapped[h]}{end}") for v, h in corners for end in _CORNER_ENDINGS]
    short = [(v[0] + h[0], swapped[v][0] + swapped[h][0]) for v, h in corners]
    return [*swapped.items(), *long, *short]


def _korean_swaps(east_west: bool, north_south: bool) -> list[tuple[str, str]]:
    axes = ((east_west, _KOREAN_EAST_WEST), (north_south, _KOREAN_NORTH_SOUTH))
    return [swap for flipped, words in axes if flipped for swap in _both_directions((words,)).items()]


def _both_directions(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(pairs) | {other: word for word, other in pairs}


def _all_words() -> list[str]:
    english = [word for word, _ in _english_swaps(True, True)]
    korean = (*_KOREAN_EAST_WEST, *_KOREAN_NORTH_SOUTH, *_KOREAN_SUFFIXES, _KOREAN_PARTICLE_START)
    return [*dict.fromkeys(english), *korean]
