"""Why an interpreter did not start, told from texts of shells in several languages and code pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.link.interpreter_answers import decoded, ended_early

#: What shells, the Store's placeholder, the launcher and Pythons print when `python3` is to start.
CASES = json.loads(Path(__file__).with_name("interpreter_answers.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_the_reason_is_found(case: dict[str, Any]) -> None:
    said = case["text"].encode(case["encoding"])
    assert ended_early(("python3",), case["status"], b"", said).id == case["expected"]
    # cmd.exe and the placeholder print to stdout, too.
    assert ended_early(("python3",), case["status"], said, b"").id == case["expected"]


NO_STATUS_NEEDED = [case for case in CASES if case["text"] and "명령어" not in case["text"]]


@pytest.mark.parametrize("case", NO_STATUS_NEEDED, ids=lambda case: str(case["case"]))
def test_the_reason_does_not_rest_on_the_status(case: dict[str, Any]) -> None:
    """PowerShell makes 1 of each."""
    assert ended_early(("python3",), 1, b"", case["text"].encode(case["encoding"])).id == case["expected"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("지정된 경로를 찾을 수 없습니다.", "cp949"),
        ("지정된 경로를 찾을 수 없습니다.", "utf-8"),
        ("指定されたパスが見つかりません。", "cp932"),
        ("系统找不到指定的路径。", "gbk"),
        ("Der Pfad wurde nicht gefunden: für Übung", "cp850"),
    ],
)
def test_text_of_a_code_page_is_readable(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text
