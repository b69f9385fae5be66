"""The example of docs/extending.md in a copy of dtui: its files are added, and nothing else is edited."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.addresses import AddressBlock
from lab.rendezvous import RendezvousPort
from tests.docs.blocks import ROOT, blocks
from tests.transports.contract import TransportContract

PAGE = ROOT / "docs" / "extending.md"
KOREAN_PAGE = ROOT / "docs" / "extending.ko.md"
#: What dtui and the contract of its transports need.
COPIED = (
    "agent", "configs", "fleet", "lab", "transports", "tui", "pyproject.toml", "tests/__init__.py",
    "tests/conftest.py", "tests/support", "tests/transports",
)  # fmt: skip
#: The transport of the page; `configs/nodes.yaml` of the page is for a real cluster.
ADDED = ("transports/slurm/__init__.py", "transports/slurm/transport.py", "tests/transports/test_slurm.py")
#: Notes how it was called, then runs the command on this machine.
SRUN = """\
#!/bin/sh
echo "$*" >> "$SRUN_LOG"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
TRAIN = """\
import os
print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], "on", os.environ["DTUI_NODE"])
"""


def shown(path: str) -> str:
    """Return the file that the page shows under this path."""
    (text,) = (block.text for block in blocks(PAGE) if block.words == (path,))
    return text


@dataclass
class Site:
    """A copy of dtui with the transport, and a project whose workers it reaches."""

    copy: Path
    project: Path
    srun_log: Path
    #: Of the workers.
    addresses: tuple[str, ...]

    def run(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "HOME": str(self.project.parent / "home"),
            "PATH": f"{self.project.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.copy),
            "PYTHONUTF8": "1",
            "SRUN_LOG": str(self.srun_log),
        }
        return subprocess.run(
            [sys.executable, *words],
            cwd=folder or self.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    def dtui(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "tui", *words)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("extended") / "dtui"
    for name in COPIED:
        source = ROOT / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    for name in ADDED:
        path = target / name
        assert not path.exists(), "a file of the page replaces one of dtui"
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown(name), "utf-8")
    return target


@pytest.fixture
def site(copy: Path, tmp_path: Path) -> Iterator[Site]:
    block, rendezvous = AddressBlock(), RendezvousPort()
    project = tmp_path / "project"
    for folder in (project / "configs", tmp_path / "home", tmp_path / "bin"):
        folder.mkdir(parents=True)
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN, "utf-8")
    srun.chmod(0o755)
    (project / "train.py").write_text(TRAIN, "utf-8")
    addresses = (block.node(1), block.node(2))
    nodes = "".join(
        f"  - {{name: gpu0{number}, address: {address}, project: {tmp_path / f'gpu0{number}'}}}\n"
        for number, address in enumerate(addresses, 1)
    )
    common = f"gpus: 0, interpreter: {sys.executable}"
    (project / "configs" / "nodes.yaml").write_text(
        f"run: {{script: train.py, port: {rendezvous.number}}}\n"
        f"master: {{address: {block.master}, {common}}}\n"
        f"defaults: {{transport: slurm, slurm: {{job: 4711}}, {common}}}\n"
        f"nodes:\n{nodes}",
        "utf-8",
    )
    yield Site(copy, project, tmp_path / "srun.log", addresses)
    rendezvous.release()
    block.release()


def test_both_languages_show_the_same_files() -> None:
    english, korean = (
        [block for block in blocks(page) if len(block.words) == 1] for page in (PAGE, KOREAN_PAGE)
    )
    assert [block.words[0] for block in english] == [*ADDED[:2], "configs/nodes.yaml", ADDED[2]]
    assert [(one.language, one.words, one.text) for one in korean] == [
        (one.language, one.words, one.text) for one in english
    ]


def test_the_transport_is_under_the_contract_of_all(site: Site) -> None:
    words = ("-m", "pytest", "-vv", "-p", "no:cacheprovider", "tests/transports/test_slurm.py")
    done = site.run(*words, folder=site.copy)
    assert done.returncode == 0, done.stdout + done.stderr
    inherited = [name for name in vars(TransportContract) if name.startswith("test_")]
    for name in (*inherited, "test_a_job_that_has_ended_is_an_error_with_the_answer_of_srun"):
        assert re.search(rf"::{name}\b.* PASSED", done.stdout), name


def test_preflight_connects_and_skips_what_the_transport_does_not_have(site: Site) -> None:
    # Each by itself is fast; `--check reach` also measures round trips, which take long on a busy machine.
    names = ("ssh", "winrm", "reach", "hostkey", "login", "agent")
    done = site.dtui("preflight", "--json", *(word for name in names for word in ("--check", name)))
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {
        (event["node"], event["check"]): (event["status"], event["seen"]["text"])
        for event in map(json.loads, done.stdout.splitlines())
        if event["event"] == "CheckFinished"
    }
    for node in ("gpu01", "gpu02"):
        for service in ("ssh", "winrm"):
            assert cells[node, service] == ("skip", "not used (transport: slurm)")
        assert cells[node, "hostkey"] == ("skip", "the transport slurm has no host keys")
        assert cells[node, "reach"][0] == cells[node, "login"][0] == cells[node, "agent"][0] == "ok"
        assert cells[node, "reach"][1].endswith(" by slurm")


def test_a_deploy_and_a_run_over_the_transport(site: Site) -> None:
    deployed = site.dtui("deploy")
    assert deployed.returncode == 0, deployed.stderr
    for node in ("gpu01", "gpu02"):
        assert (site.project.parent / node / "train.py").read_text("utf-8") == TRAIN
    run = site.dtui("launch")
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(re.findall(r"rank (\d) of 3 on (\w+)", run.stdout)) == {
        ("0", "master"), ("1", "gpu01"), ("2", "gpu02"),
    }  # fmt: skip
    calls = site.srun_log.read_text("utf-8").splitlines()
    assert all("--jobid=4711 --overlap" in call for call in calls)
    assert {call.split("--nodelist=")[1].split()[0] for call in calls} == set(site.addresses)


def test_the_inventory_knows_the_options_and_what_the_transport_does_not_use(site: Site) -> None:
    (site.project / "configs" / "nodes.yaml").write_text(
        "nodes:\n"
        "  - {name: a, transport: slurm, user: kim, port: 22}\n"
        "  - {name: b, transport: slurm, slurm: {jib: 1}}\n"
        "  - {name: c, transport: ssh, slurm: {job: 0}}\n",
        "utf-8",
    )
    done = site.dtui("nodes", "--offline")
    assert done.returncode != 0
    for fault in (
        "nodes.yaml:2:39: nodes[0].user: the transport slurm does not use it; remove `user`",
        "nodes.yaml:2:50: nodes[0].port: the transport slurm does not use it; remove `port`",
        "nodes[1].slurm.jib: unknown key 'jib'; did you mean 'job'?",
        "nodes[2].slurm: these are options of the transport slurm, and the node uses ssh",
        "must be a number from 1 to 4294967295, not 0",
    ):
        assert fault in done.stderr


#: Fills in the console's node form for gpu03 and prints the fields for the transport.
ADD_NODE = """
from pathlib import Path
from transports.base import NoPrompts
from tui.dialogs.node_form import draft_of, node_fields
from tui.i18n import Texts
from tui.operations.fleet_operations import FleetOperations

entered = {"name": "gpu03", "address": "127.0.0.1", "transport": "slurm", "slurm-job": "4712"}
fields = [one for one in node_fields(Texts("en")) if one.shown_for in (None, ("transport", "slurm"))]
print([(one.label, one.hint) for one in fields if one.shown_for])
path = Path("configs/nodes.yaml").absolute()
operations = FleetOperations(path, project=Path.cwd(), prompts=NoPrompts())
operations.add_node(draft_of({one.key: entered.get(one.key, "") for one in fields}))
"""


def test_the_form_of_the_console_has_a_field_for_the_option(site: Site) -> None:
    done = site.run("-c", ADD_NODE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('slurm: job', '1-4294967295')]"
    written = (site.project / "configs" / "nodes.yaml").read_text("utf-8")
    assert "slurm: {job: 4712}" in written.partition("gpu03")[2]


def test_init_and_the_reference_know_the_transport(site: Site) -> None:
    done = site.dtui(
        "init", "--force", "--workers", "gpu[01-02]", "--transport", "slurm", "--script", "train.py"
    )
    assert done.returncode == 0, done.stderr
    written = (site.project / "configs" / "nodes.yaml").read_text("utf-8")
    assert "transport: slurm" in written
    reference = site.run("-c", "from fleet.inventory.reference import reference; print(reference())").stdout
    assert "| `job` | 1-4294967295 |" in reference
    assert "`auto`, `local`, `slurm`, `ssh`, `winrm`" in reference


def test_the_inventory_that_the_page_shows_is_accepted(site: Site) -> None:
    (site.project / "configs" / "nodes.yaml").write_text(shown("configs/nodes.yaml"), "utf-8")
    done = site.dtui("nodes", "--offline")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^gpu0[12] +gpu0[12] +slurm", done.stdout, re.MULTILINE)
