"""Values of secrets in output, wherever it is cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.environments.masking import OutputMask

SECRETS = ("hunter2-4f9c", "hunter", "aaab", "two\nlines")


@given(st.lists(st.sampled_from([*SECRETS, "h", "a", "\n", "x", "hunt"])), st.lists(st.integers(1, 9)))
def test_no_piece_has_a_value_and_nothing_else_is_lost(words: list[str], sizes: list[int]) -> None:
    text = "".join(words)
    mask = OutputMask(SECRETS)
    shown, at = "", 0
    for size in [*sizes, len(text)]:
        shown += mask.feed(text[at : at + size])
        at += size
    shown += mask.rest()
    assert not any(secret in shown for secret in SECRETS)
    if not any(secret in text for secret in SECRETS):
        assert shown == text


def test_output_that_is_no_value_does_not_wait() -> None:
    mask = OutputMask(SECRETS)
    assert mask.feed("progress 5%\r") == "progress 5%\r"
    assert mask.feed("hun") == ""
    assert mask.feed("gry\n") == "hungry\n"


def test_short_values_and_none_mask_nothing() -> None:
    assert OutputMask(["1", ""]).feed("101 of 1001") == "101 of 1001"
