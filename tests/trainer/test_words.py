from __future__ import annotations

from trainer.words import PAD, encode, words


def test_words_are_lower_case_without_punctuation_and_korean_goes_by_character() -> None:
    assert words("The Kitchen is 9x7, #REF!") == ["the", "kitchen", "is", "9x7", "ref"]
    assert words("거실 남쪽 12m") == ["거", "실", "남", "쪽", "12m"]
    assert words("") == []


def test_slots_are_the_same_in_every_process_and_version() -> None:
    assert encode("kitchen 부엌", 4, 8192).tolist() == [910, 6874, 4315, PAD]
