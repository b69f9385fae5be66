"""Each check's good and bad outcomes, evaluated from recorded observations."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent.wire.message import Message
from fleet.preflight import checks_for
from fleet.preflight.observations import Absent
from tests.preflight.cases import CASES, LINUX, UNLOADABLE, Case
from tests.preflight.recordings import inventory, observations, results
from tui.i18n import Texts


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    assert (found.status, case.text in found.seen) == (case.status, True), found
    assert found.why, "each result has a reason why it matters"
    if found.status == "fail":
        assert found.remedy, "each failure has a remedy"


#: Foreign texts and figures, which are the same in every language.
FOREIGN = re.compile(
    r"cmd\.exe|C:.*bash\.exe|Debian 12|RemoteSigned"
    r"|default(, exclusive)?|(Python|torch|accelerate) [\d.]+|Python [\d.]+ \(.*\)"
    r"|it said no|ask again|it ended with status 1|Ethernet, [\d.]+, [\d.]+ Gbit/s"
    r"|Python [\d.]+, uv, .*|2 x NVIDIA GeForce RTX 4090, 24.0 GiB each|port \d+ .*"
    r"|port 22: SSH-2.0-.*|configs/train_config.yaml:3: .*|there is no train_config.yaml"
    r"|GPU 1: CUDA error|trains on the CPU|no GPU to train on, .*|leave it out of the run, .*"
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_text_of_a_verdict_is_translated(case: Case) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    translated = {text: Texts("ko").translate(text) for text in (found.seen, found.why, found.remedy) if text}
    assert [
        text for text, korean in translated.items() if korean == text and not FOREIGN.fullmatch(text)
    ] == []
    assert all(isinstance(text, Message) for text in translated)


#: What is true of Windows only, unless the text says so itself.
WINDOWS = re.compile(r"Visual C\+\+|Hyper-V|Defender|winnat|services|for Windows|(?<!on Windows, )worker_set")
#: Only Windows has WinRM and Defender, and reserves ports.
OF_BOTH = [
    case for case in CASES if case.check not in ("winrm", "defender") and "excluded" not in str(case.patches)
]


@pytest.mark.parametrize("case", OF_BOTH, ids=str)
def test_a_linux_node_gets_no_advice_for_windows(case: Case) -> None:
    patches = {f"{case.node}/facts/os": LINUX, **case.patches}
    found = results(observations(patches), inventory(**case.changes))[case.node, case.check]
    assert not WINDOWS.search(f"{found.seen} {found.remedy}"), found


@pytest.mark.parametrize(
    ("check", "patches", "advice"),
    [
        ("backend", {"gpu1/conditions/environment/torch": UNLOADABLE}, "Visual C++"),
        ("gpu-computes", {"gpu1/trial/found/devices": []}, "allow services to use the GPUs"),
    ],
)
def test_a_windows_node_gets_it(check: str, patches: dict[str, Any], advice: str) -> None:
    assert advice in results(observations(patches), inventory())["gpu1", check].remedy


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
    others = [one.check for (node, _), one in found.items() if node == "gpu2" and one.status == "warn"]
    assert others == ["adapter"], "worker_setup.ps1 does not disable IPv6"


def test_an_absent_observation_is_reported_and_never_passes() -> None:
    seen = observations({})
    seen["gpu1"] = {name: Absent(Message("no answer within 30 s")) for name in seen["gpu1"]}
    found = results(seen, inventory())
    for (node, _), one in found.items():
        if node == "gpu1":
            assert (one.status, "no answer within 30 s" in one.seen) == ("skip", True)


def test_another_rendezvous_gets_a_column_of_its_own() -> None:
    seen = observations({"*/ports/ports/31000": {"all": None, "own": None, "holder": None}})
    for node in seen.values():
        for ports in node["mesh"]["reaches"].values():
            ports["31000"] = {"outcome": "open", "ms": 0.4}
    found = results(seen, inventory(run={"port": 31000}))
    assert found["master", "31000"].status == "ok"
