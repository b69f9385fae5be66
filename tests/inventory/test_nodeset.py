"""Node sets: expand, fold, select."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.nodeset import (
    MAX_NAMES,
    NodeSetError,
    expand,
    fold,
    fold_in_order,
    natural_key,
    select,
    split_at_number,
)  # fmt: skip

words = st.text("abz-._", max_size=3)
numbers = st.integers(0, 120)
names = st.builds(
    lambda prefix, number, width, suffix: f"{prefix}{str(number).zfill(width)}{suffix}",
    words, numbers, st.sampled_from([0, 2, 3]), words,
).filter(bool)  # fmt: skip


@given(st.lists(names, min_size=1, max_size=40))
def test_what_is_folded_expands_to_the_same_names(given_names: list[str]) -> None:
    folded = fold(given_names)
    assert set(expand(folded)) == set(given_names)
    assert fold(reversed(given_names)) == folded


@given(st.lists(names, min_size=1, max_size=20, unique=True))
def test_folding_in_order_keeps_the_order(given_names: list[str]) -> None:
    assert list(expand(fold_in_order(given_names))) == given_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu3", ["gpu3"]),
        ("gpu[1-3]", ["gpu1", "gpu2", "gpu3"]),
        ("gpu[08-10,20]", ["gpu08", "gpu09", "gpu10", "gpu20"]),
        ("gpu[098-101]", ["gpu098", "gpu099", "gpu100", "gpu101"]),
        ("gpu[3,1]", ["gpu3", "gpu1"]),
        ("a1, b[1-2]  c", ["a1", "b1", "b2", "c"]),
        ("r[1-2]-n[1-2]", ["r1-n1", "r1-n2", "r2-n1", "r2-n2"]),
        ("192.168.1.[9-11]", ["192.168.1.9", "192.168.1.10", "192.168.1.11"]),
        ("gpu1,gpu[1-2]", ["gpu1", "gpu2"]),
    ],
)
def test_expand(text: str, expected: list[str]) -> None:
    assert list(expand(text)) == expected


@pytest.mark.parametrize(
    ("given_names", "expected"),
    [
        (["gpu2", "gpu1", "gpu10", "gpu3"], "gpu[1-3,10]"),
        (["gpu09", "gpu10", "gpu11"], "gpu[09-11]"),
        (["gpu9", "gpu10"], "gpu[9-10]"),
        (["gpu9", "gpu09"], "gpu[9,09]"),
        (["master", "gpu1", "gpu2"], "gpu[1-2],master"),
        (["r1-n1", "r2-n1", "r1-n2"], "r1-n[1-2],r2-n1"),
        ([], ""),
    ],
)
def test_fold(given_names: list[str], expected: str) -> None:
    assert fold(given_names) == expected


@pytest.mark.parametrize(
    "text",
    ["", " , ", "gpu[1-", "gpu1]", "gpu[[1]]", "gpu[]", "gpu[a-b]", "gpu[3-1]", "gpu[01-2]", "gpu[1-02]",
     "gpu[1-99999999]", "gpu[1-1000]x[1-1000]", "gpu[1-]", "gpu[١-٣]"],
)  # fmt: skip
def test_what_is_not_a_node_set_is_refused(text: str) -> None:
    with pytest.raises(NodeSetError):
        expand(text)


def test_the_limit_on_names_is_kept() -> None:
    assert len(expand(f"gpu[1-{MAX_NAMES}]")) == MAX_NAMES


def test_names_sort_by_their_numbers() -> None:
    assert sorted(["gpu10", "gpu2", "a1", "gpu²"], key=natural_key) == ["a1", "gpu2", "gpu10", "gpu²"]


class TestSelect:
    fleet = {"master": (), "gpu1": ("lab",), "gpu2": ("lab", "new"), "desk": ("new",)}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("expression", "chosen"),
        [
            ("gpu[1-2]", ("gpu1", "gpu2")),
            ("desk,master", ("master", "desk")),
            ("@lab", ("gpu1", "gpu2")),
            ("@all,!@new", ("master", "gpu1")),
            ("!master", ("gpu1", "gpu2", "desk")),
            ("@lab,!gpu1,desk", ("gpu2", "desk")),
            ("gpu1,!gpu1", ()),
        ],
    )
    def test_nodes_are_chosen_by_name_and_tag_in_the_fleets_order(
        self, expression: str, chosen: tuple[str, ...]
    ) -> None:
        assert select(expression, self.fleet) == chosen

    def test_everything_unknown_is_named_with_what_is_near(self) -> None:
        with pytest.raises(NodeSetError) as caught:
            select("gpu[1-3],@labb,dsk", self.fleet)
        assert str(caught.value) == (
            "there is no node 'gpu3' (did you mean gpu2?); no node has the tag 'labb' (did you mean @lab?); "
            "there is no node 'dsk' (did you mean desk?)"
        )


def test_a_name_with_a_number_and_the_same_without_fold_apart() -> None:
    assert fold(["gpu1", "gpu", "gpu2"]) == "gpu,gpu[1-2]"


def test_numbers_that_are_too_long_for_a_set_are_listed() -> None:
    names = ("gpu1234567890123", "gpu1234567890124")
    assert expand(fold_in_order(names)) == names


def test_a_long_name_is_split_in_linear_time() -> None:
    """A name may come from a file: a million characters would take hours in quadratic time."""
    name = "gpu" + "9-" * 500_000 + "7" * 13 + "x"
    assert split_at_number(name) is None
    assert split_at_number("gpu" + "9-" * 500_000 + "07x") == ("gpu" + "9-" * 500_000, "07", "x")


COSTLY = {
    "repeated ranges": "a[1-60000]," * 5000,
    "a product of ranges": "a" + "[1-60000]" * 6000,
    "a product of pairs": "b" + "[1-2]" * 5000,
    "one unknown name": "zz," * 20_000,
    "unknown names": ",".join(f"n{number}" for number in range(12_000)),
    "an unknown tag": "@none," * 10_000,
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_a_long_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    nodes: dict[str, tuple[str, ...]] = {f"gpu{number}": () for number in range(1000)}
    begun = time.process_time()
    with pytest.raises(NodeSetError):
        select(text, nodes)
    with suppress(NodeSetError):
        expand(text)
    assert time.process_time() - begun < 20
