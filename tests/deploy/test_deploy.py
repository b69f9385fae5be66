"""Deploys through real agents into folders of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.deploy import DeployOptions
from fleet.events import CopyProgressed, DeployPreview, FileChange, NodeDeployed, Notice
from tests.deploy.conftest import Site, tree

PROJECT: dict[str, str | bytes] = {
    "train.py": "print('hello')\n",
    "src/model.py": "layers = 3\n",
    "configs/a/b/c.yaml": "x: 1\n",
    "데이터/그림.txt": "픽셀\n",
    "empty": "",
    "weights.bin": bytes(range(256)) * 4000,
}


async def test_a_first_deploy_copies_all_but_the_excludes(site: Site) -> None:
    site.write(PROJECT)
    site.write(
        {".git/HEAD": "x", "logs/a": "x", "src/__pycache__/m.pyc": "x", "sets/raw": "x", "sets/keep": "x"}
    )
    site.write({".dtuiignore": "sets/raw\n"})
    (site.source / "train.py").chmod(0o755)
    outcome = await site.deploy()
    assert outcome.end().ok
    expected = {name: text.encode() if isinstance(text, str) else text for name, text in PROJECT.items()}
    assert site.files() == {**expected, "sets/keep": b"x", ".dtuiignore": b"sets/raw\n"}
    assert os.access(site.path / "node1/train.py", os.X_OK)
    assert not os.access(site.path / "node1/src/model.py", os.X_OK)
    assert (site.path / "node1/train.py").stat().st_mtime_ns == (site.source / "train.py").stat().st_mtime_ns
    assert outcome.end().bytes_sent == sum(map(len, site.files().values()))
    last = outcome.of(CopyProgressed)[-1]
    assert (
        (last.files_done, last.bytes_done)
        == (last.files_total, last.bytes_total)
        == (8, outcome.end().bytes_sent)
    )
    assert last.rate > 0
    assert sorted(path.name for path in (site.path / "node1/.dtui").iterdir()) == [
        "deployed.json",
        "deploying.json",
        "environment.json",
        "private",
        "project.json",
    ]


async def test_a_second_deploy_sends_nothing_and_a_changed_file_only_itself(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    second = await site.deploy()
    assert second.end().ok
    assert second.end().bytes_sent == 0
    assert second.stages()["copy"] == "skipped"
    site.write({"src/model.py": "layers = 12\n"})
    third = await site.deploy()
    assert (third.end().files_sent, third.end().bytes_sent) == (1, 12)
    assert site.files()["src/model.py"] == b"layers = 12\n"


async def test_a_change_of_the_same_size_is_seen_and_a_touch_is_not_sent(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    site.write({"src/model.py": "layers = 4\n"})
    os.utime(site.source / "weights.bin")
    outcome = await site.deploy()
    assert (outcome.end().files_sent, outcome.end().bytes_sent) == (1, 11)
    assert site.files() == tree(site.source)
    again = await site.deploy()
    assert again.stages()["copy"] == "skipped"


async def test_only_the_executable_bit_changed(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    (site.source / "train.py").chmod(0o755)
    outcome = await site.deploy()
    assert outcome.end().bytes_sent == 0
    assert os.access(site.path / "node1/train.py", os.X_OK)
    assert (await site.deploy()).stages()["copy"] == "skipped"


async def test_what_the_master_deleted_goes_unless_the_node_changed_it(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    node = site.path / "node1"
    site.write({"results/out.txt": "a user's", "src/notes.txt": "a user's"}, node)
    site.write({"configs/a/b/c.yaml": "x: 2, by hand\n"}, node)
    for name in ("src/model.py", "configs/a/b/c.yaml", "empty"):
        (site.source / name).unlink()
    outcome = await site.deploy()
    assert outcome.end().ok
    left = site.files()
    assert left["configs/a/b/c.yaml"] == b"x: 2, by hand\n"
    assert "results/out.txt" in left
    assert "src/notes.txt" in left
    assert "src/model.py" not in left
    assert "empty" not in left
    (notice,) = outcome.of(Notice)
    assert "configs/a/b/c.yaml" in notice.text
    assert (await site.deploy()).of(Notice) == []


async def test_files_that_were_there_before_the_first_deploy_are_never_deleted(site: Site) -> None:
    site.write(PROJECT)
    site.write(PROJECT, site.path / "node1")
    first = await site.deploy()
    assert first.end().bytes_sent == 0
    (site.source / "train.py").unlink()
    await site.deploy()
    assert "train.py" in site.files()


async def test_data_that_is_excluded_later_stays_on_the_node(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    site.write({".dtuiignore": "weights.bin\n"})
    (site.source / "weights.bin").unlink()
    await site.deploy()
    assert "weights.bin" in site.files()


async def test_a_folder_becomes_a_file_and_a_file_a_folder(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    (site.source / "src/model.py").unlink()
    (site.source / "src").rmdir()
    (site.source / "empty").unlink()
    site.write({"src": "now a file", "empty/inside": "now a folder"})
    outcome = await site.deploy()
    assert outcome.end().ok
    assert site.files() == tree(site.source)


async def test_a_users_folder_in_the_way_is_named_and_nothing_changes(site: Site) -> None:
    site.write({"plans": "a file"})
    site.write({"plans/users.txt": "precious"}, site.path / "node1")
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert "'plans' is a folder on the node, with files that dtui did not put there" in outcome.end().detail
    assert site.files() == {"plans/users.txt": b"precious"}


async def test_a_dry_run_shows_each_change_and_makes_none(site: Site) -> None:
    site.write(PROJECT)
    untouched = await site.preview()
    assert {change.action for change in untouched.of(FileChange)} == {"add"}
    (nothing_there,) = untouched.of(DeployPreview)
    assert nothing_there.files_to_send == len(PROJECT)
    assert not (site.path / "node1").exists()
    await site.deploy()
    (unchanged,) = (await site.preview()).of(DeployPreview)
    assert (unchanged.files_to_send, unchanged.bytes_to_send, unchanged.files_to_delete) == (0, 0, 0)
    before = site.files()
    (site.source / "empty").unlink()
    site.write({"train.py": "print('other')\n", "new.py": "1"})
    outcome = await site.preview()
    changes = {(change.path, change.action, change.size) for change in outcome.of(FileChange)}
    assert changes == {("train.py", "replace", 15), ("new.py", "add", 1), ("empty", "delete", 0)}
    (end,) = outcome.of(DeployPreview)
    assert (end.files_to_send, end.bytes_to_send, end.files_to_delete) == (2, 16, 1)
    assert not outcome.of(NodeDeployed), "nothing was deployed"
    assert site.files() == before
    assert not (site.path / "node1/.dtui/deploy.lock").exists()


async def test_configuring_sends_nothing_else(site: Site) -> None:
    site.write(PROJECT)
    outcome = await site.configure(lambda node: {".dtui/accelerate_config.yaml": node.name})
    assert not outcome.of(NodeDeployed), "nothing was deployed"
    assert site.files() == {}
    assert (site.path / "node1/.dtui/accelerate_config.yaml").read_text() == "node1"
    assert outcome.stages() == {
        "copy": "skipped",
        "environment": "skipped",
        "configure": "done",
    }


async def test_the_source_folder_itself_is_left_alone(site: Site) -> None:
    site.write(PROJECT)
    linked = site.path / "another way"
    linked.symlink_to(site.source)
    outcome = await site.deploy(site.node("master", site.source), site.node("share", linked))
    for name in ("master", "share"):
        assert outcome.end(name).ok
        assert outcome.details(name)["copy"] == "this folder is the source of the deploy"
    assert tree(site.source) == {
        name: text.encode() if isinstance(text, str) else text for name, text in PROJECT.items()
    }
    names = {path.name for path in (site.source / ".dtui").iterdir()}
    # The first of the two nodes has the plain name.
    assert names - {"environment-master.json", "environment-share.json"} == {"environment.json", "private"}
    assert len(names) == 3


async def test_one_failing_node_does_not_stop_the_other(site: Site) -> None:
    site.write(PROJECT)
    (site.path / "file").write_text("not a folder")
    outcome = await site.deploy(site.node("bad", site.path / "file"), site.node("good"))
    assert not outcome.end("bad").ok
    assert "is a file, not a folder" in outcome.end("bad").detail
    assert outcome.end("bad").remedy
    assert outcome.stages("bad")["compare"] == "failed"
    assert outcome.end("good").ok
    assert site.files("good") == tree(site.source)


async def test_several_nodes_with_different_needs_all_end_alike(site: Site) -> None:
    site.write({f"f{number}": os.urandom(number * 700) for number in range(120)})
    site.write({"big": os.urandom(1_500_000)})
    nodes = [site.node(f"node{number}") for number in range(4)]
    await site.deploy(nodes[0])
    for number in range(0, 120, 3):
        (site.source / f"f{number}").write_bytes(os.urandom(500))
    site.write({"f5": "other"}, site.path / "node1")
    outcome = await site.deploy(*nodes)
    assert all(outcome.end(node.name).ok for node in nodes)
    for node in nodes:
        assert site.files(node.name) == tree(site.source)


async def test_faults_of_the_source_are_all_told_before_anything_is_sent(site: Site) -> None:
    site.write(PROJECT)
    for number in range(2):
        (site.source / os.fsdecode(b"bad\xff%d" % number)).write_text("x")
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert outcome.end().detail.count("not valid UTF-8") == 2
    assert not (site.path / "node1").exists()


async def test_an_empty_source_never_empties_a_node(site: Site) -> None:
    site.write(PROJECT)
    await site.deploy()
    before = site.files()
    for path in list(tree(site.source)):
        (site.source / path).unlink()
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert "no files to deploy" in outcome.end().detail
    assert site.files() == before


async def test_another_console_has_to_wait(site: Site, tmp_path: Path) -> None:
    from agent.tree.lock import Lock

    site.write(PROJECT)
    with Lock(str(site.path / "node1"), "another deploy"):
        outcome = await site.deploy()
    assert not outcome.end().ok
    assert "another deploy has been writing" in outcome.end().detail
    assert (await site.deploy()).end().ok


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside", ".dtui/incoming/x"])
async def test_put_stays_inside_the_project(site: Site, name: str) -> None:
    site.write(PROJECT)
    outcome = await site.deploy(options=DeployOptions(configure=lambda _: {name: "evil"}))
    assert outcome.stages()["configure"] == "failed"
    assert not (site.path / "outside").exists()


async def test_nodes_that_share_a_folder_wait_for_each_other(site: Site) -> None:
    site.write(PROJECT)
    shared = site.path / "shared"
    nodes = [site.node(name, shared) for name in ("node1", "node2", "node3")]
    outcome = await site.deploy(*nodes)
    assert [outcome.end(node.name).ok for node in nodes] == [True] * 3
    assert tree(shared) == tree(site.source)
