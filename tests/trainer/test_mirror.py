from __future__ import annotations

import pytest
import torch

from trainer.errors import ConfigError
from trainer.mirror import Mirror
from trainer.words import encode

VOCABULARY = 8192
TOKENS = 24
PLAN = torch.arange(6, dtype=torch.uint8).view(1, 2, 3)
AS_IT_IS, UPRIGHT, SIDEWAYS, BOTH = range(4)


def slots(text: str) -> torch.Tensor:
    return torch.from_numpy(encode(text, TOKENS, VOCABULARY))[None]


@pytest.mark.parametrize(
    ("text", "upright", "sideways", "both"),
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
        # 공동 (shared) and 에서 (from) hold no direction.
        (
            "공동 현관에서 남쪽, 방에 서쪽",
            "공동 현관에서 북쪽, 방에 서쪽",
            "공동 현관에서 남쪽, 방에 동쪽",
            "공동 현관에서 북쪽, 방에 동쪽",
        ),
        ("a balcony of 50 sqft, 4 by 7", *["a balcony of 50 sqft, 4 by 7"] * 3),
    ],
)
def test_directions_change_places(text: str, upright: str, sideways: str, both: str) -> None:
    mirror = Mirror(VOCABULARY, torch.device("cpu"))
    for way, expected in enumerate((text, upright, sideways, both)):
        _, changed = mirror.mirrored(PLAN, slots(text), torch.tensor([way]))
        assert torch.equal(changed, slots(expected)), (way, expected)
        assert changed.dtype == slots(text).dtype


@pytest.mark.parametrize("channels", [0, 3])
def test_plans_are_seen_in_the_mirror_their_text_tells(channels: int) -> None:
    plan = PLAN.unsqueeze(-1).expand(1, 2, 3, channels) if channels else PLAN
    plans, ways = plan.expand(4, *plan.shape[1:]), torch.arange(4)
    mirrored, _ = Mirror(VOCABULARY, torch.device("cpu")).mirrored(plans, slots("").expand(4, -1), ways)
    expected = torch.cat([plan, plan.flip(1), plan.flip(2), plan.flip(1, 2)])
    assert torch.equal(mirrored, expected)


def test_chance_gives_every_way_and_is_the_generators() -> None:
    mirror, plans = Mirror(VOCABULARY, torch.device("cpu")), PLAN.expand(400, 2, 3)
    text = slots("north east").expand(400, -1)
    one, again = (mirror(plans, text, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    texts, counts = one[1].unique(dim=0, return_counts=True)
    assert len(texts) == 4
    assert counts.min() > 60


def test_a_vocabulary_that_mixes_directions_up_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.vocabulary"):
        Mirror(64, torch.device("cpu"))
