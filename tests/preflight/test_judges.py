"""Each check's good and bad outcomes, judged from what machines said."""

from __future__ import annotations

import re

import pytest

from fleet.preflight import checks_for
from fleet.preflight.check import Absent
from tests.preflight.cases import CASES, Case
from tests.preflight.recordings import inventory, observations, results
from tui.i18n.sentences import Sentences, korean


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    assert (found.status, case.says in found.seen) == (case.status, True), found
    assert found.why, "each result says why it matters"
    if found.status == "fail":
        assert found.remedy, "each failure says what to do"


#: What a node or its program says of itself, and figures: the same in every language.
SAYS_ITSELF = re.compile(
    r"Debian 12|RemoteSigned|default(, exclusive)?|(Python|torch|accelerate) [\d.]+"
    r"|it said no|ask again|it ended with status 1|Ethernet, [\d.]+, [\d.]+ Gbit/s"
)


@pytest.fixture(scope="module")
def catalogue() -> Sentences:
    return korean()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_verdict_can_be_said_in_korean(case: Case, catalogue: Sentences) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    said = [text for text in (found.seen, found.why, found.remedy) if text]
    assert [text for text in said if not catalogue.knows(text) and not SAYS_ITSELF.fullmatch(text)] == []


def test_every_check_has_its_good_and_a_bad_outcome() -> None:
    tested: dict[str, set[str]] = {}
    for case in CASES:
        tested.setdefault(case.check, set()).add(case.status)
    names = {check.name for check in checks_for()}
    assert set(tested) == names
    lacking = {name for name, found in tested.items() if "ok" not in found or not found & {"warn", "fail"}}
    assert not lacking


def test_the_machine_as_it_comes_is_usable_with_warnings_only() -> None:
    found = results(observations({}), inventory())
    assert {one.status for one in found.values()} <= {"ok", "warn", "skip"}
    warned = {check for (node, check), one in found.items() if node == "gpu1" and one.status == "warn"}
    assert warned == {"adapter", "sleep", "long-paths", "execution-policy"}
    told = [one.check for (node, _), one in found.items() if node == "gpu2" and one.status == "warn"]
    assert told == ["adapter"], "IPv6 is nothing that worker_setup.ps1 switches off"


def test_what_could_not_be_observed_is_said_and_never_green() -> None:
    seen = observations({})
    seen["gpu1"] = {name: Absent("the node did not answer within 30 s") for name in seen["gpu1"]}
    found = results(seen, inventory())
    for (node, _), one in found.items():
        if node == "gpu1":
            assert (one.status, "did not answer" in one.seen) == ("skip", True)


def test_another_rendezvous_gets_a_column_of_its_own() -> None:
    seen = observations({"*/ports/ports/31000": {"all": None, "own": None, "holder": None}})
    for node in seen.values():
        for ports in node["mesh"]["reaches"].values():
            ports["31000"] = {"outcome": "open", "ms": 0.4}
    found = results(seen, inventory(run={"port": 31000}))
    assert found["master", "31000"].status == "ok"
