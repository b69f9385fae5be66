"""What a deploy says about its choice of files: once, with sizes, and before anything is sent."""

from __future__ import annotations

from pathlib import Path

from fleet.deploy.scan import SourceFile, scan
from fleet.deploy.selection import LARGE_EXCLUDED, LARGE_FILE, selection_remarks
from fleet.events import Notice, StageChanged
from tests.deploy.conftest import Site


def sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


async def test_large_excluded_folders_are_named_once_before_the_copy(site: Site) -> None:
    site.write({"train.py": "1", ".gitignore": "/raw/\n*.log\n", "small.log": "x"})
    sparse(site.source / "raw/a.bin", LARGE_EXCLUDED)
    sparse(site.source / "checkpoints/last.pt", LARGE_EXCLUDED + 1)
    outcome = await site.deploy(site.node(), site.node("node2"))
    assert outcome.end().ok
    assert outcome.end("node2").ok
    texts = {notice.text: notice for notice in outcome.of(Notice, "")}
    assert set(texts) == {
        "raw is not sent: 1 file, 10.0 MiB, excluded by .gitignore",
        "left alone: 1 file, 10.0 MiB written by runs (checkpoints)",
    }
    assert {notice.level for notice in texts.values()} == {"info"}
    assert all(".dtuiignore" in notice.remedy for notice in texts.values())
    copies = [event for event in outcome.events if isinstance(event, StageChanged) and event.stage == "copy"]
    last_notice = max(outcome.events.index(notice) for notice in texts.values())
    assert last_notice < min(outcome.events.index(event) for event in copies)
    assert set(site.files()) == set(site.files("node2")) == {"train.py", ".gitignore"}


async def test_what_the_user_excludes_needs_no_advice(site: Site) -> None:
    site.write({"train.py": "1", ".dtuiignore": "/raw\n"})
    sparse(site.source / "raw/a.bin", LARGE_EXCLUDED)
    (notice,) = (await site.deploy()).of(Notice, "")
    assert notice.text == "raw is not sent: 1 file, 10.0 MiB, excluded by .dtuiignore"
    assert notice.remedy == ""


def test_large_files_among_the_code_are_named_the_largest_first(tmp_path: Path) -> None:
    for number in range(13):
        sparse(tmp_path / f"{number:02}.bin", LARGE_FILE + number)
    sparse(tmp_path / "small.bin", LARGE_FILE - 1)
    found = scan(tmp_path)
    remarks = list(selection_remarks(found, lambda facts: list(facts)))
    assert [remark.text.split()[0] for remark in remarks[:2]] == ["12.bin", "11.bin"]
    assert remarks[-1].text == "3 more large files (150 MiB) sent with the code"
    assert len(remarks) == 11
    seen = {file for file in found.files if isinstance(file, SourceFile)}
    assert list(selection_remarks(found, lambda facts: [fact for fact in facts if fact not in seen])) == []
