"""The messages of a deploy in Korean: its plan, its findings, and why it failed."""

from __future__ import annotations

import re

from fleet.deploy.compare import Plan, Sending
from fleet.deploy.portability import faults_on_windows
from fleet.deploy.reporter import Reporter, copied, summary
from fleet.deploy.scan import SourceFile
from fleet.events import NodeDeployed, StageChanged
from tui.i18n import Texts


def plan() -> Plan:
    files = [SourceFile(f"f{number}", 1 << 20, 0, None) for number in range(3)]
    return Plan(
        send=tuple(Sending(file, 0, "") for file in files),
        adjust=((files[0], ""),),
        delete=(("old", 5), ("older", 5)),
    )


def test_a_plan_is_translated_part_by_part() -> None:
    assert copied(plan(), 12.5 * (1 << 20)) == (
        "3 files to send (3.0 MiB), 1 time stamp to set, 2 files to delete, 12.5 MiB/s"
    )
    assert Texts("ko").translate(copied(plan(), 12.5 * (1 << 20))) == (
        "보낼 파일 3개 (3.0 MiB), 맞출 시간 정보 1개, 지울 파일 2개, 12.5 MiB/s"
    )
    assert Texts("ko").translate(summary(Plan())) == "바꿀 것이 없습니다"


def test_a_failure_names_its_stage_in_the_same_language() -> None:
    report = Reporter("gpu1", lambda: 0.0)
    report.begin("copy")
    (fault,) = faults_on_windows(["con.txt"])
    stage = report.failed(fault.what, fault.remedy)
    end = report.not_deployed(fault.what, fault.remedy)
    assert isinstance(stage, StageChanged)
    assert isinstance(end, NodeDeployed)
    assert (
        Texts("ko").translate(stage.detail) == "con.txt: con.txt는 Windows가 장치 이름으로 예약해 두었습니다"
    )
    assert Texts("ko").translate(end.detail) == f"복사: {Texts('ko').translate(stage.detail)}"


def test_each_finding_begins_with_its_path() -> None:
    names = ["a:b", "dot.", "con", "x" * 256, "A", "a", "F/x", "f"]
    found = faults_on_windows(names)
    assert {finding.path for finding in found} == {"a:b", "dot.", "con", "x" * 256, "a", "f"}
    for finding in found:
        assert finding.what.startswith(repr(finding.path))
        korean = Texts("ko").translate(finding.what)
        assert korean.startswith(finding.path)
        assert re.search(r"[가-힣]", korean)
        assert re.search(r"[가-힣]", Texts("ko").translate(finding.remedy))
