"""Accelerate's own test scripts, as the installed package has them, next to torchrun started over ssh."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent.environments.login import login
from tests.programs.site import LIMIT, NODES, Done, ProgramSite
from tests.programs.test_torchrun_contract import DIFFERENT, INCIDENTAL, OURS

pytestmark = [pytest.mark.torch, pytest.mark.timeout(1800)]

SCRIPTS = "accelerate.test_utils.scripts"
#: The nodes that take part, and the ranks of each.
SHAPES = {"1x2": (["node1"], 2), "2x1": (["master", "node1"], 1), "3x1": (list(NODES), 1)}
#: ``gpus: 0``, which the lab's inventory says, is the user's word for the CPU; torchrun is given the same.
ON_CPU = "ACCELERATE_USE_CPU"
#: torchrun gives each rank one thread, dtui its share of the cores.
THREADS = "OMP_NUM_THREADS"


@dataclass
class Outcome:
    """What a launcher has left behind: exit codes of ranks, files of nodes, what ranks were given."""

    codes: list[int]
    files: dict[str, set[str]] = field(default_factory=dict)
    told: dict[int, dict[str, Any]] = field(default_factory=dict)


def collect(site: ProgramSite, nodes: list[str], codes: list[int], sent: set[str]) -> Outcome:
    """Take what the ranks have made out of the projects."""
    found = Outcome(codes)
    for node in nodes:
        made = site.files(node) - sent
        for name in made:
            path = site.project(node) / name
            if name.startswith("told-"):
                found.told[int(path.stem[5:])] = json.loads(path.read_text("utf-8"))
            path.unlink()
        found.files[node] = made
    return found


def by_dtui(site: ProgramSite, shape: str, *program: str) -> tuple[Outcome, Done]:
    nodes, ranks = SHAPES[shape]
    for node in nodes:
        site.entry(node)["processes"] = ranks
    site.save()
    sent = site.files("master")
    done = site.run("up", "--json", "--on", ",".join(nodes), *program)
    assert done.of("RankStarted"), done.said
    codes = {event["rank"]: event["code"] for event in done.of("RankExited")}
    return collect(site, nodes, [codes[rank] for rank in sorted(codes)], sent), done


def by_torchrun(site: ProgramSite, shape: str, given: dict[str, str], *program: str) -> Outcome:
    nodes, ranks = SHAPES[shape]
    sent = site.files("master")
    launched = []
    for number, node in enumerate(nodes):
        words = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(len(nodes))]
        words += ["--node-rank", str(number), "--nproc-per-node", str(ranks)]
        words += ["--master-addr", given["MASTER_ADDR"], "--master-port", given["MASTER_PORT"], *program]
        launched.append(site.session(node, f"{ON_CPU}=true {shlex.join(words)}"))
    codes = [process.wait(LIMIT) for process in launched]
    return collect(site, nodes, codes, sent)


def session_variables(site: ProgramSite, node: str) -> dict[str, str]:
    ask = f"{shlex.quote(sys.executable)} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    said, _ = site.session(node, ask).communicate(timeout=LIMIT)
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


def compare(site: ProgramSite, shape: str, ours: Outcome, theirs: Outcome) -> None:
    """Compare all that a program sees and leaves; environments apart from the stated differences."""
    nodes, ranks = SHAPES[shape]
    assert ours.files == theirs.files
    assert sorted(ours.told) == sorted(theirs.told) == list(range(len(nodes) * ranks))
    for rank, told in ours.told.items():
        node = nodes[rank // ranks]
        assert (told["argv"], told["cwd"]) == (theirs.told[rank]["argv"], theirs.told[rank]["cwd"])
        assert told["cwd"] == str(site.project(node).resolve())
        base = session_variables(site, node)
        set_by_torchrun = {
            name: value
            for name, value in theirs.told[rank]["env"].items()
            if base.get(name) != value and name not in INCIDENTAL
        }
        assert {"RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", ON_CPU} <= set(set_by_torchrun)
        equal = set(set_by_torchrun) - DIFFERENT - {THREADS}
        assert {name: told["env"].get(name) for name in equal} == {
            name: set_by_torchrun[name] for name in equal
        }
        assert set(told["env"]) >= DIFFERENT
        assert (THREADS in told["env"]) == (THREADS in set_by_torchrun)
        # dtui's ranks start from a login, torchrun here from a shell.
        of_login = set(base) | set(login().variables)
        more = set(told["env"]) - set(set_by_torchrun) - of_login - INCIDENTAL - OURS
        assert {name for name in more if not name.startswith("DTUI_")} == set()


#: Scripts that want GPUs, or one folder for the processes of all nodes: whatever torchrun ends with is right.
SAME = None
CASES = [
    pytest.param("2x1", "test_sync", 0, id="2x1-test_sync"),
    *(
        pytest.param(shape, script, code, id=f"{shape}-{script}", marks=pytest.mark.full)
        for script, code, shapes in (
            ("test_script", 0, ["1x2"]),
            ("test_script", SAME, ["2x1", "3x1"]),
            ("test_sync", 0, ["1x2", "3x1"]),
            ("test_ops", 0, SHAPES),
            ("test_merge_weights", SAME, ["1x2"]),
            ("test_ddp_comm_hook", SAME, ["2x1"]),
            ("test_notebook", SAME, ["2x1"]),
        )
        for shape in shapes
    ),
]


@pytest.mark.parametrize(("shape", "script", "code"), CASES)
def test_a_script_of_accelerate_ends_and_leaves_files_as_with_torchrun(
    site: ProgramSite, shape: str, script: str, code: int | None
) -> None:
    site.author("noted.py")
    program = ("noted.py", f"{SCRIPTS}.{script}", "--lr", "3e-4", "a b", "한글", "--", '{"c": "$HOME"}')
    ours, done = by_dtui(site, shape, *program)
    theirs = by_torchrun(site, shape, ours.told[0]["env"], *program)
    nodes, ranks = SHAPES[shape]
    expected = max(theirs.codes) if code is SAME else code
    assert theirs.codes == [expected] * len(nodes)
    assert done.code == expected, done.said
    compare(site, shape, ours, theirs)
    if expected == 0:
        assert ours.codes == [0] * (len(nodes) * ranks)


@pytest.mark.full
def test_a_script_of_accelerate_as_a_module(site: ProgramSite) -> None:
    """Each node has it in its environment, and the project has nothing of it."""
    site.write({"readme.txt": ""})
    done = site.run("up", "--on", "master,node1", "-m", f"{SCRIPTS}.test_ops")
    assert done.code == 0, done.said
    assert "succeeded" in done.err
    assert done.out.count("testing sending tensors across devices") == 2
