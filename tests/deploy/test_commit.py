"""A commit that dies at any step leaves a tree that the next operation makes whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent import durable
from agent.tree.commit import CommitFailed, commit, recover
from agent.tree.format import block_digest
from agent.tree.record import Recorded, load
from agent.tree.staging import Staging

OLD = {"a.txt": "old a", "keep.txt": "kept", "gone/b.txt": "old b", "becomes": "a file", "was/x": "old x"}
NEW = {
    "a.txt": "new a",
    "keep.txt": "kept",
    "fresh/deep/c.txt": "new c",
    "becomes/d.txt": "new d",
    "was": "a file",
}
DELETES = ["gone/b.txt", "becomes", "was/x"]


class Crash(BaseException):
    """The agent's process ends here."""


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and ".dtui" not in path.parts
    }


def prepare(root: Path) -> tuple[list[tuple[str, str, str]], dict[str, Recorded]]:
    for path, text in OLD.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    staging = Staging(str(root))
    staging.prepare([])
    moves, record = [], {}
    for number, path in enumerate(path for path in NEW if NEW[path] != OLD.get(path)):
        Path(staging.place(str(number))).write_text(NEW[path])
        digest = block_digest(NEW[path].encode())
        moves.append((str(number), path, digest))
        record[path] = Recorded(len(NEW[path]), 1, 1, digest, True)
    return moves, record


def crash_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the ``step``-th change to the file system not happen, and nothing after it."""
    done = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal done
            if done >= step:
                raise Crash
            done += 1
            return change(*args, **options)

        return call

    for name in ("replace", "remove", "makedirs", "rmdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


def test_a_commit_makes_the_new_tree_and_leaves_nothing_behind(tmp_path: Path) -> None:
    moves, record = prepare(tmp_path)
    commit(str(tmp_path), moves, DELETES, record)
    assert contents(tmp_path) == NEW
    assert load(str(tmp_path)) == record
    assert sorted(path.name for path in (tmp_path / ".dtui").iterdir()) == ["deployed.json", "private"]
    assert not (tmp_path / "gone").exists()


def test_a_crash_at_any_step_is_made_good(tmp_path: Path) -> None:
    outcomes = []
    for step in range(1000):
        root = tmp_path / str(step)
        moves, record = prepare(root)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(step, patch)
            try:
                commit(str(root), moves, DELETES, record)
            except Crash:
                crashed = True
            else:
                crashed = False
        journal = root / ".dtui/incoming/journal.json"
        whole = journal.exists()
        recover(str(root))
        assert contents(root) == (NEW if whole or not crashed or load(str(root)) else OLD), f"step {step}"
        assert not journal.exists()
        outcomes.append(contents(root) == NEW)
        if not crashed:
            break
    else:
        pytest.fail("it never came to an end")
    assert outcomes[0] is False
    assert outcomes == sorted(outcomes)  # from one step on it is the new tree, before it the old one
    assert len(outcomes) > 20


def test_a_recovery_that_crashes_too_is_made_good_by_the_next_one(tmp_path: Path) -> None:
    twice = 0
    for first in range(8, 26, 2):
        for second in range(0, 12, 2):
            root = tmp_path / f"{first}-{second}"
            moves, record = prepare(root)
            with pytest.MonkeyPatch.context() as patch:
                crash_at(first, patch)
                with suppress(Crash):
                    commit(str(root), moves, DELETES, record)
            with pytest.MonkeyPatch.context() as patch:
                crash_at(second, patch)
                try:
                    recover(str(root))
                except Crash:
                    twice += 1
            recover(str(root))
            assert contents(root) == (NEW if load(str(root)) else OLD)
    assert twice > 20


def test_a_file_that_can_not_be_replaced_brings_the_old_tree_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves, record = prepare(tmp_path)
    original = durable.replace

    def held(source: str, target: str) -> None:
        if target.endswith("d.txt"):
            raise PermissionError(13, "The process cannot access the file", target)
        original(source, target)

    monkeypatch.setattr(durable, "replace", held)
    with pytest.raises(CommitFailed) as caught:
        commit(str(tmp_path), moves, DELETES, record)
    assert caught.value.path == "becomes/d.txt"
    assert contents(tmp_path) == OLD
    assert recover(str(tmp_path)) is False
    assert load(str(tmp_path)) == {}


def test_a_folder_with_a_users_files_is_never_replaced(tmp_path: Path) -> None:
    moves, record = prepare(tmp_path)
    (tmp_path / "was/users.txt").write_text("precious")
    with pytest.raises(CommitFailed):
        commit(str(tmp_path), moves, DELETES, record)
    assert contents(tmp_path) == {**OLD, "was/users.txt": "precious"}


def test_contents_lost_in_a_power_cut_bring_the_old_tree_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves, record = prepare(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(14, patch)
        with pytest.raises(Crash):
            commit(str(tmp_path), moves, DELETES, record)
    staged = [tmp_path / ".dtui/incoming" / name for name, _, _ in moves]
    left = [path for path in staged if path.exists()]
    assert left
    left[-1].write_bytes(bytes(left[-1].stat().st_size))
    assert recover(str(tmp_path)) is True
    assert contents(tmp_path) == OLD
    assert not (tmp_path / ".dtui/incoming").exists()


def test_a_read_only_file_is_replaced(tmp_path: Path) -> None:
    moves, record = prepare(tmp_path)
    (tmp_path / "a.txt").chmod(0o444)
    commit(str(tmp_path), moves, DELETES, record)
    assert contents(tmp_path) == NEW


def test_an_open_file_on_windows_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("new")
    target.write_text("old")
    refusals = [5, 32, 33]
    original = os.replace

    def replace(left: str, right: str) -> None:
        if refusals:
            error = PermissionError(13, "held")
            error.winerror = refusals.pop()  # type: ignore[attr-defined,unused-ignore]
            raise error
        original(left, right)

    monkeypatch.setattr(os, "replace", replace)
    durable.replace(str(source), str(target))
    assert target.read_text() == "new"
    assert refusals == []
