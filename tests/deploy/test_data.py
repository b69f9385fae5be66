"""Data is copied as nodes.yaml says, is no code, and is never deleted unless the user asked for a mirror."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.data import data_of
from fleet.deploy.project import scan_project
from fleet.events import FileChange, NodeDeployed, Notice
from fleet.inventory import RunSettings
from fleet.inventory.model import DataSettings
from tests.deploy.conftest import Site, tree
from tests.deploy.test_interrupted import CutTransports

DATA: dict[str, str | bytes] = {"data/train/1.txt": "one", "data/train/2.txt": "two", "data/val/1.txt": "v"}
PROGRAM = RunSettings(module=None, script="train.py")


@pytest.fixture
def shop(site: Site) -> Site:
    """A project of another program than the bundled trainer, with data in a folder of another name."""
    site.run = PROGRAM
    site.write({"train.py": "print()", "set/a.txt": "aa", "set/sub/b.txt": "bb", "set/__pycache__/c": "c"})
    return site


def files(folder: Path) -> dict[str, str]:
    return {name: contents.decode() for name, contents in tree(folder).items()}


async def test_a_folder_named_data_is_code_like_any_other_of_a_foreign_program(site: Site) -> None:
    site.run = PROGRAM
    site.write({"train.py": "print()", **DATA})
    outcome = await site.deploy()
    assert site.files() == tree(site.source)
    assert "data" not in outcome.stages()
    (site.source / "data/val/1.txt").unlink()
    await site.deploy()
    assert "data/val/1.txt" not in site.files()


async def test_the_trainers_data_reaches_the_nodes_although_git_ignores_it(site: Site) -> None:
    site.write({".gitignore": "/data/\n", "trainer.py": "", **DATA})
    outcome = await site.deploy()
    assert outcome.stages()["data"] == "done"
    assert site.files() == tree(site.source)
    assert outcome.end().files_sent == 5
    second = await site.deploy()
    assert second.details()["data"] == "3 files (7 B) already there"
    assert second.end().bytes_sent == 0


async def test_the_trainers_configuration_names_its_data(site: Site) -> None:
    site.write(
        {"configs/train_config.yaml": "data: {root: sets/plans}\n", "sets/plans/1": "1", "sets/a.py": ""}
    )
    async with site.fleet(site.node()) as fleet:
        assert data_of(fleet.inventory).inside == "sets/plans"  # type: ignore[union-attr]
        assert {file.path for file in scan_project(fleet.inventory).files} == {
            "configs/train_config.yaml", "sets/a.py"
        }  # fmt: skip


async def test_once_copies_what_is_missing_and_touches_nothing_else(shop: Site) -> None:
    shop.data = DataSettings(root="set", sync="once")
    shop.write({"set/a.txt": "the node's own", "set/mine.txt": "mine"}, shop.path / "node1")
    await shop.deploy()
    wanted = {"a.txt": "the node's own", "mine.txt": "mine", "sub/b.txt": "bb", "__pycache__/c": "c"}
    assert files(shop.path / "node1/set") == wanted
    (shop.source / "set/sub/b.txt").write_text("changed on the master")
    (shop.source / "set/__pycache__/c").unlink()
    assert (await shop.deploy()).end().bytes_sent == 0
    assert files(shop.path / "node1/set") == wanted


async def test_mirror_makes_the_folders_equal_and_names_what_it_deletes_before(shop: Site) -> None:
    shop.data = DataSettings(root="set", sync="mirror")
    shop.write({"set/a.txt": "the node's own", "set/mine/x": "mine"}, shop.path / "node1")
    (shop.path / "node1/set/link").symlink_to("a.txt")
    dry = await shop.preview()
    assert {(change.action, change.path) for change in dry.of(FileChange)} >= {
        ("delete", "mine/x"), ("delete", "link"), ("replace", "a.txt"), ("add", "sub/b.txt")
    }  # fmt: skip
    assert files(shop.path / "node1/set")["mine/x"] == "mine"
    outcome = await shop.deploy()
    (notice,) = outcome.of(Notice)
    assert "deletes 2 files in" in notice.text
    assert "mine/x" in notice.text
    assert files(shop.path / "node1/set") == files(shop.source / "set")
    assert outcome.events.index(notice) < outcome.events.index(outcome.end())
    assert (await shop.deploy()).end().bytes_sent == 0


async def test_an_empty_folder_on_the_master_mirrors_nothing(shop: Site) -> None:
    shop.data = DataSettings(root="set", sync="mirror")
    await shop.deploy()
    for path in (shop.source / "set").rglob("*"):
        if path.is_file():
            path.unlink()
    outcome = await shop.deploy()
    assert not outcome.end().ok
    assert "has no files on the master" in outcome.end().detail
    assert files(shop.path / "node1/set")["a.txt"] == "aa"


async def test_data_outside_of_the_project_goes_where_each_node_has_it(shop: Site) -> None:
    outside = shop.path / "outside"
    shop.write({"x/1.bin": os.urandom(700_000), "2.txt": "2"}, outside)
    (outside / "linked.txt").symlink_to(shop.source / "train.py")
    here, there = shop.path / "disk1", shop.path / "disk2"
    shop.data = DataSettings(root=str(outside), on=(("node1", str(here)), ("node2", str(there))), sync="once")
    outcome = await shop.deploy(shop.node(), shop.node("node2"))
    assert outcome.end().ok, outcome.end().detail
    wanted = {name: (outside / name).read_bytes() for name in ("x/1.bin", "2.txt", "linked.txt")}
    assert tree(here) == tree(there) == wanted
    assert not (outside / ".dtui").exists()
    assert {*shop.files()} == {"train.py", "set/a.txt", "set/sub/b.txt"}


async def test_without_sync_nothing_is_copied_and_the_data_is_no_code(shop: Site) -> None:
    shop.data = DataSettings(root="set")
    outcome = await shop.deploy()
    assert "data" not in outcome.stages()
    assert {*shop.files()} == {"train.py"}


async def test_data_that_was_deployed_as_code_stays_on_the_node(shop: Site) -> None:
    await shop.deploy()
    shop.data = DataSettings(root="set")
    (shop.source / "set/a.txt").unlink()
    await shop.deploy()
    assert shop.files()["set/a.txt"] == b"aa"


async def test_the_masters_own_folder_is_left_alone(shop: Site) -> None:
    shop.data = DataSettings(root="set", sync="mirror")
    before = tree(shop.source)
    async with shop.fleet(shop.node()) as fleet:
        node, master = fleet.inventory.nodes[1], fleet.inventory.master
    master = replace(master, environment="existing", interpreter=node.interpreter)
    outcome = await shop.deploy(shop.node(), master)
    assert outcome.stages("master")["data"] == "skipped"
    assert tree(shop.source) == before


async def test_an_interrupted_copy_goes_on_where_it_was(shop: Site) -> None:
    shop.write({"set/big.bin": os.urandom(8_000_000)})
    shop.data = DataSettings(root="set", sync="once")
    transports = CutTransports(4_000_000)
    sent: list[int] = []
    outcome = await shop.deploy(
        transports=transports,
        watch=lambda event: sent.append(event.bytes_sent) if isinstance(event, NodeDeployed) else None,
    )
    await transports.close()
    assert outcome.end().ok, outcome.end().detail
    (notice,) = outcome.of(Notice)
    assert "reconnecting to resume" in notice.text
    assert files_equal(shop.path / "node1/set", shop.source / "set")
    assert sent[0] < 16_000_000


def files_equal(one: Path, other: Path) -> bool:
    return tree(one) == tree(other)


async def test_a_link_to_a_folder_on_the_node_is_neither_followed_nor_replaced(shop: Site) -> None:
    shop.data = DataSettings(root="set", sync="once")
    elsewhere = shop.path / "elsewhere"
    shop.write({"b.txt": "already here"}, elsewhere)
    (shop.path / "node1/set").mkdir(parents=True)
    (shop.path / "node1/set/sub").symlink_to(elsewhere)
    assert (await shop.deploy()).end().ok
    shop.write({"set/sub/new.txt": "new"})
    outcome = await shop.deploy()
    assert not outcome.end().ok
    assert "symbolic link" in outcome.end().detail
    assert files(elsewhere) == {"b.txt": "already here"}


async def test_a_missing_folder_on_the_master_is_told_once(shop: Site) -> None:
    shop.data = DataSettings(root="nowhere", sync="once")
    outcome = await shop.deploy(shop.node(), shop.node("node2"))
    assert outcome.end().ok
    (notice,) = outcome.of(Notice, "")
    assert "nowhere" in notice.text
