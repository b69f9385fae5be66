from __future__ import annotations

from trainer.dataset.tokenizer import PAD_ID, encode_text, split_words


def test_words_are_lower_case_without_punctuation_and_korean_is_split_by_character() -> None:
    assert split_words("The Kitchen is 9x7, #REF!") == ["the", "kitchen", "is", "9x7", "ref"]
    assert split_words("거실 남쪽 12m") == ["거", "실", "남", "쪽", "12m"]
    assert split_words("") == []


def test_token_ids_are_the_same_in_every_process_and_version() -> None:
    assert encode_text("kitchen 부엌", 4, 8192).tolist() == [910, 6874, 4315, PAD_ID]
