"""A launch compares the nodes' files with the master's, by the comparison of a deploy."""

from __future__ import annotations

import pytest

from fleet.events import FileChange, NodeDeployed, Notice, StageChanged
from tests.deploy.conftest import Outcome, Site

PROJECT: dict[str, str | bytes] = {
    "train.py": "print('old')\n",
    "model.py": "layers = 3\n",
    "configs/train_config.yaml": "a: 1\n",
}


@pytest.fixture
async def deployed(site: Site) -> Site:
    site.write(PROJECT)
    assert (await site.deploy()).end().ok
    return site


def result(outcome: Outcome, node: str = "node1") -> StageChanged:
    return [event for event in outcome.of(StageChanged, node) if event.stage == "compare"][-1]


async def test_what_was_deployed_may_start(deployed: Site) -> None:
    before = deployed.files()
    outcome = await deployed.check()
    assert outcome.stages() == {"connect": "done", "compare": "done"}
    assert not outcome.of(NodeDeployed)
    assert deployed.files() == before


async def test_differing_files_are_named_with_the_remedy(deployed: Site) -> None:
    deployed.write({"train.py": "print('new')\n", "new.py": "1\n"})
    (deployed.source / "model.py").unlink()
    before = deployed.files()
    outcome = await deployed.check()
    stage = result(outcome)
    assert stage.state == "failed"
    assert stage.detail == "3 files not as on the master: model.py (only on the node), new.py, train.py"
    assert "`dtui up`" in stage.remedy
    assert "--force" in stage.remedy
    assert not outcome.of(FileChange), "that is how a dry run reads"
    assert deployed.files() == before


async def test_a_change_on_the_node_counts_as_well(deployed: Site) -> None:
    deployed.write({"train.py": "print('edited there')\n"}, deployed.path / "node1")
    stage = result(await deployed.check())
    assert (stage.state, stage.detail) == ("failed", "1 file not as on the master: train.py")


async def test_of_many_files_the_first_are_named(deployed: Site) -> None:
    deployed.write({f"part{number}.py": "1\n" for number in range(9)})
    paths = ", ".join(f"part{number}.py" for number in range(5))
    assert result(await deployed.check()).detail == f"9 files not as on the master: {paths} and 4 more"


async def test_a_touched_file_and_excluded_ones_are_no_difference(deployed: Site) -> None:
    deployed.write({**PROJECT, "logs/run.log": "x", ".dtui/runs/r/plan.json": "{}"})
    deployed.write({"logs/other.log": "x", "results.json": "{}"}, deployed.path / "node1")
    assert result(await deployed.check()).state == "done"


async def test_a_node_without_a_deploy_is_told_apart(site: Site) -> None:
    site.write(PROJECT)
    stage = result(await site.check())
    assert (stage.state, stage.detail) == ("failed", "nothing has been deployed to this node")
    assert not (site.path / "node1").exists()


async def test_force_warns_and_goes_on(deployed: Site) -> None:
    deployed.write({"train.py": "print('new')\n"})
    outcome = await deployed.check(force=True)
    assert result(outcome).state == "skipped"
    (warning,) = outcome.of(Notice)
    assert (warning.level, warning.text) == ("warning", "1 file not as on the master: train.py")


async def test_only_the_nodes_that_differ_are_refused(deployed: Site) -> None:
    nodes = [deployed.node("node1"), deployed.node("node2")]
    await deployed.deploy(nodes[1])
    deployed.write({"train.py": "print('edited there')\n"}, deployed.path / "node2")
    outcome = await deployed.check(*nodes)
    assert result(outcome, "node1").state == "done"
    assert result(outcome, "node2").state == "failed"


async def test_the_masters_own_folder_is_its_own_source(site: Site) -> None:
    site.write(PROJECT)
    outcome = await site.check(site.node(project=site.source))
    assert result(outcome).state == "done"
