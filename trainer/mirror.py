"""Plans mirrored at random together with their texts: from one pair, four that say the same.

A plan seen in a mirror is a plan too, if east and west, or north and south, change places in its text. Texts
are word slots here already (trainer.words), so words change places by a table of slots. English and Korean
are known; other texts keep their words, and their plans must not be mirrored if they tell directions.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from trainer import words
from trainer.errors import ConfigError

#: Words that change places, for a mirror that swaps east and west, and for one that swaps north and south.
_EAST_WEST = (("east", "west"), ("eastern", "western"), ("left", "right"), ("leftmost", "rightmost"))
_NORTH_SOUTH = (("north", "south"), ("northern", "southern"), ("top", "bottom"), ("upper", "lower"))
#: Of words for corners: northeast, northeastern.
_ENDINGS = ("", "ern")
#: Korean goes by character, and 동, 서, 남, 북 are parts of many words: they are directions beside one of
#: these or of each other.
_KOREAN_EAST_WEST, _KOREAN_NORTH_SOUTH = ("동", "서"), ("북", "남")
_KOREAN_BEHIND = ("쪽", "측", "향", "편")
#: 에서 ("in, from") is the commonest word with 서.
_KOREAN_NOT_AFTER = "에"


class Mirror:
    """Mirrors pairs of a batch by chance: as they are, left and right, top and bottom, or both."""

    def __init__(self, vocabulary: int, device: torch.device) -> None:
        """Raises ConfigError if ``vocabulary`` is so small that directions share a slot."""
        self._slot = {word: int(words.encode(word, 1, vocabulary)[0]) for word in _all_words()}
        if len(set(self._slot.values())) < len(self._slot):
            raise ConfigError(
                f"data.mirror: with a vocabulary of {vocabulary} slots, words for directions share a slot",
                "set model.vocabulary to its default, 8192, or data.mirror to false",
            )
        ways = list(itertools.product((False, True), repeat=2))
        self._words = torch.stack([self._table(vocabulary, _english(*way)) for way in ways]).to(device)
        self._korean = torch.stack([self._table(vocabulary, _korean(*way)) for way in ways]).to(device)
        self._is_direction = self._set(vocabulary, (*_KOREAN_EAST_WEST, *_KOREAN_NORTH_SOUTH)).to(device)
        self._is_behind = self._set(vocabulary, _KOREAN_BEHIND).to(device)

    def __call__(self, pictures: Tensor, tokens: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return pictures (B, H, W) or (B, H, W, 3), and slots (B, T), mirrored by ``generator``."""
        way = torch.randint(4, (len(pictures),), generator=generator, device=pictures.device)
        return self.mirrored(pictures, tokens, way)

    def mirrored(self, pictures: Tensor, tokens: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
        """Return pairs mirrored as ``way`` (B,) says: 0 not, 1 top and bottom, 2 left and right, 3 both."""
        shaped = way.view(-1, *[1] * (pictures.ndim - 1))
        pictures = torch.where(shaped % 2 == 1, pictures.flip(1), pictures)
        pictures = torch.where(shaped >= 2, pictures.flip(2), pictures)
        slots = tokens.long()
        changed = self._words[way[:, None], slots]
        korean = self._korean[way[:, None], slots]
        return pictures, torch.where(self._directions(slots), korean, changed).to(tokens.dtype)

    def _directions(self, slots: Tensor) -> Tensor:
        """Return where slots (B, T) are Korean directions, (B, T)."""
        direction = self._is_direction[slots]
        before, after = slots.roll(1, 1), slots.roll(-1, 1)
        before[:, 0], after[:, -1] = words.PAD, words.PAD
        suffixed = self._is_behind[after]
        # "에서 남쪽": 서 belongs to what is before it; "에 서쪽" is a direction nevertheless.
        particle = (slots == self._slot["서"]) & (before == self._slot[_KOREAN_NOT_AFTER]) & ~suffixed
        direction = direction & ~particle
        shifted = direction.roll(1, 1)
        shifted[:, 0] = False
        following = direction.roll(-1, 1)
        following[:, -1] = False
        return direction & (suffixed | shifted | following)

    def _table(self, vocabulary: int, pairs: list[tuple[str, str]]) -> Tensor:
        table = torch.arange(vocabulary)
        for word, other in pairs:
            table[self._slot[word]] = self._slot[other]
        return table

    def _set(self, vocabulary: int, members: tuple[str, ...]) -> Tensor:
        flags = torch.zeros(vocabulary, dtype=torch.bool)
        flags[[self._slot[word] for word in members]] = True
        return flags


def _english(east_west: bool, north_south: bool) -> list[tuple[str, str]]:
    """Return word and mirrored word."""
    sideways, upright = _both_ways(_EAST_WEST), _both_ways(_NORTH_SOUTH)
    turned = {word: (other if east_west else word) for word, other in sideways.items()}
    turned |= {word: (other if north_south else word) for word, other in upright.items()}
    corners = list(itertools.product(("north", "south"), ("east", "west")))
    long = [(f"{v}{h}{end}", f"{turned[v]}{turned[h]}{end}") for v, h in corners for end in _ENDINGS]
    short = [(v[0] + h[0], turned[v][0] + turned[h][0]) for v, h in corners]
    return [*turned.items(), *long, *short]


def _korean(east_west: bool, north_south: bool) -> list[tuple[str, str]]:
    turns = ((east_west, _KOREAN_EAST_WEST), (north_south, _KOREAN_NORTH_SOUTH))
    return [pair for swapped, words_ in turns if swapped for pair in _both_ways((words_,)).items()]


def _both_ways(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(pairs) | {other: word for word, other in pairs}


def _all_words() -> list[str]:
    english = [word for word, _ in _english(True, True)]
    korean = (*_KOREAN_EAST_WEST, *_KOREAN_NORTH_SOUTH, *_KOREAN_BEHIND, _KOREAN_NOT_AFTER)
    return [*dict.fromkeys(english), *korean]
