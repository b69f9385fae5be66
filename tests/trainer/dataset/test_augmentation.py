from __future__ import annotations

import pytest
import torch

from trainer.dataset.augmentation import MirrorAugmentation
from trainer.dataset.tokenizer import encode_text
from trainer.errors import ConfigError

VOCABULARY = 8192
TOKENS = 24
PLAN = torch.arange(6, dtype=torch.uint8).view(1, 2, 3)


def augmentation() -> MirrorAugmentation:
    return MirrorAugmentation(VOCABULARY, torch.device("cpu"))


def token_ids(text: str) -> torch.Tensor:
    return torch.from_numpy(encode_text(text, TOKENS, VOCABULARY))[None]


@pytest.mark.parametrize(
    ("text", "up_down", "left_right", "both"),
    [
        (
            "the kitchen at the north east corner",
            "the kitchen at the south east corner",
            "the kitchen at the north west corner",
            "the kitchen at the south west corner",
        ),
        (
            "NE, southwestern, upper left",
            "SE, northwestern, lower left",
            "NW, southeastern, upper right",
            "SW, northeastern, lower right",
        ),
        (
            "부엌은 북동쪽, 거실은 남향",
            "부엌은 남동쪽, 거실은 북향",
            "부엌은 북서쪽, 거실은 남향",
            "부엌은 남서쪽, 거실은 북향",
        ),
        # 공동 (shared) and 에서 (from) contain no direction.
        (
            "공동 현관에서 남쪽, 방에 서쪽",
            "공동 현관에서 북쪽, 방에 서쪽",
            "공동 현관에서 남쪽, 방에 동쪽",
            "공동 현관에서 북쪽, 방에 동쪽",
        ),
        ("a balcony of 50 sqft, 4 by 7", *["a balcony of 50 sqft, 4 by 7"] * 3),
    ],
)
def test_a_flip_swaps_the_directions_of_its_axes(text: str, up_down: str, left_right: str, both: str) -> None:
    for flip, expected in enumerate((text, up_down, left_right, both)):
        _, flipped = augmentation().flip(PLAN, token_ids(text), torch.tensor([flip]))
        assert torch.equal(flipped, token_ids(expected)), (flip, expected)
        assert flipped.dtype == token_ids(text).dtype


@pytest.mark.parametrize("channels", [0, 3])
def test_images_are_flipped_along_the_same_axes_as_their_texts(channels: int) -> None:
    plan = PLAN.unsqueeze(-1).expand(1, 2, 3, channels) if channels else PLAN
    plans, flips = plan.expand(4, *plan.shape[1:]), torch.arange(4)
    flipped, _ = augmentation().flip(plans, token_ids("").expand(4, -1), flips)
    expected = torch.cat([plan, plan.flip(1), plan.flip(2), plan.flip(1, 2)])
    assert torch.equal(flipped, expected)


def test_all_flips_occur_and_depend_on_the_generator_only() -> None:
    plans, ids = PLAN.expand(400, 2, 3), token_ids("north east").expand(400, -1)
    first, second = (augmentation()(plans, ids, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    texts, counts = first[1].unique(dim=0, return_counts=True)
    assert len(texts) == 4
    assert counts.min() > 60


def test_a_vocabulary_in_which_directions_share_an_id_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"model\.vocabulary"):
        MirrorAugmentation(64, torch.device("cpu"))
