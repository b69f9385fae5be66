"""The project's inventory stays on the master, and a copy that an earlier deploy made is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.deploy.ignore import IgnoreRules
from fleet.deploy.scan import scan
from fleet.events import FileChange
from tests.deploy.conftest import Site

FILES: dict[str, str | bytes] = {"train.py": "x\n", "configs/train_config.yaml": "a: 1\n"}


@pytest.mark.parametrize("place", ["configs/nodes.yaml", "cluster.yaml", "deep/er/my nodes.yml"])
async def test_it_is_not_deployed_wherever_it_lies(place: str, site: Site) -> None:
    site.write({**FILES, place: "nodes: []\n"})
    site.inventory = site.source / place
    dry = await site.preview()
    assert place not in {event.path for event in dry.of(FileChange)}
    assert (await site.deploy()).end().ok
    assert set(site.files()) == set(FILES)


async def test_the_usual_file_stays_also_while_another_one_is_in_use(site: Site) -> None:
    site.write({**FILES, "configs/nodes.yaml": "nodes: []\n", "other.yaml": "nodes: []\n"})
    site.inventory = site.source / "other.yaml"
    await site.deploy()
    assert set(site.files()) == set(FILES)


async def test_a_copy_of_an_earlier_deploy_is_removed_and_the_users_own_is_not(site: Site) -> None:
    site.write({**FILES, "nodes.yaml": "nodes: []\n", "configs/nodes.yaml": "nodes: []\n"})
    site.write({".dtuiignore": "!configs/nodes.yaml\n"})
    await site.deploy()  # as before: the project takes one in, the other is no inventory yet
    assert {"nodes.yaml", "configs/nodes.yaml"} <= set(site.files())
    site.inventory = site.source / "nodes.yaml"
    site.write({".dtuiignore": ""})
    await site.deploy()
    assert set(site.files()) == {*FILES, ".dtuiignore"}

    site.write({"configs/nodes.yaml": "mine: 1\n"}, site.path / "node1")
    await site.deploy()
    assert "configs/nodes.yaml" in site.files()


async def test_a_copy_in_a_folder_that_is_excluded_by_now_is_removed_too(site: Site) -> None:
    site.write({**FILES, "configs/nodes.yaml": "nodes: []\n", ".dtuiignore": "!configs/nodes.yaml\n"})
    await site.deploy()
    site.write({".dtuiignore": "configs/\n"})
    await site.deploy()
    assert set(site.files()) == {*FILES, ".dtuiignore"}


def test_a_project_can_take_it_in_again() -> None:
    assert IgnoreRules().excludes_file("configs/nodes.yaml")
    assert IgnoreRules().withholds("configs/nodes.yaml")
    taken = IgnoreRules(["!configs/nodes.yaml"])
    assert not taken.excludes_file("configs/nodes.yaml")
    assert not taken.withholds("configs/nodes.yaml")
    assert not IgnoreRules().excludes_file("more/configs/nodes.yaml")


def test_a_project_that_is_reached_through_a_link_hides_it_as_well(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (real / "a.py").touch()
    (real / "sub" / "nodes.yaml").touch()
    (tmp_path / "link").symlink_to(real)
    found = scan(tmp_path / "link", inventory=tmp_path / "link" / "sub" / "nodes.yaml")
    assert [file.path for file in found.files] == ["a.py"]
