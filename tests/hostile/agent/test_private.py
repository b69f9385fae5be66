"""What is in ``.dtui``, on nodes and on the master, and in the agent's cache is its owner's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import private
from fleet.errors import FleetError
from fleet.runs.launch import launch
from fleet.runs.store import RunStore
from tests.deploy.conftest import Site, site  # noqa: F401
from tests.runs.conftest import nothing_stays  # noqa: F401
from tests.runs.fleets import collect, fleet_of, inventory, plan_of, project, watched
from tests.support.needs import need
from tests.support.private_files import loose

NOBODY = 65534


@pytest.fixture(autouse=True, params=[0o022, 0o000, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The mode of new files must not depend on it."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def test_a_deploy_leaves_nothing_readable_and_the_projects_files_their_modes(
    site: Site,  # noqa: F811
    umask: int,
) -> None:
    site.write({"train.py": "print(1)\n", "bin/run": "#!/bin/sh\n", "models/a.bin": b"x" * 300_000})
    # Only the digests of files that are not new are kept on the master.
    os.utime(site.source / "models" / "a.bin", (1e9, 1e9))
    (site.source / "bin" / "run").chmod(0o755)
    for _ in range(2):
        assert (await site.deploy()).end().ok
        (site.source / "train.py").write_text("print(2)\n")
        (site.path / "node1" / "models" / "a.bin").touch()
    node = site.path / "node1"
    assert loose(str(node / ".dtui")) == []
    assert mode(node / ".dtui") == 0o700
    assert mode(node / ".dtui" / "deployed.json") == 0o600
    assert mode(node / "train.py") == 0o666 & ~umask
    assert mode(node / "bin" / "run") == 0o777 & ~umask
    assert mode(node / "bin") == 0o777 & ~umask
    assert loose(str(site.source / ".dtui")) == []
    assert loose(str(site.path / "cache" / "dtui")) == []


async def test_a_run_leaves_nothing_readable_on_nodes_and_master(tmp_path: Path) -> None:
    fleet_ = inventory(tmp_path, "say('hello')", master=1, gpu1=2)
    async with fleet_of(fleet_) as fleet:
        await collect(launch(fleet, plan_of(fleet_)))
        await watched(fleet)
        for node in ("master", "gpu1"):
            own = project(fleet, node) / ".dtui"
            names = {path.name for path in own.rglob("*")}
            assert {"spec.json", "status.json", "supervisor.json", "supervisor.log"} <= names
            assert loose(str(own)) == []
    assert loose(str(tmp_path / "cache" / "dtui")) == []


def test_what_older_versions_left_is_closed_at_the_first_touch_and_looked_at_once(tmp_path: Path) -> None:
    own = tmp_path / ".dtui"
    (own / "runs" / "r1").mkdir(parents=True)
    for name in ("deployed.json", "runs/r1/spec.json", "runs/r1/rank-0.log"):
        (own / name).write_text("x")
        (own / name).chmod(0o644)
    (own / "incoming").mkdir()
    (own / "incoming" / "tool").write_text("x")
    (own / "incoming" / "tool").chmod(0o755)
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (own / "link").symlink_to(outside)
    (own / "folder-link").symlink_to(tmp_path)
    os.mkfifo(own / "pipe")
    for folder in (own, own / "runs", own / "runs" / "r1"):
        folder.chmod(0o755)
    private.claim(str(own))
    assert [path for path in loose(str(own)) if not path.endswith("pipe")] == []
    assert mode(own / "incoming" / "tool") == 0o700, "a staged file stays executable"
    assert mode(outside) == 0o644
    (own / "deployed.json").chmod(0o644)
    private.claim(str(own))
    assert mode(own / "deployed.json") == 0o644, "the second look walks through nothing"


async def test_the_master_claims_its_folder_when_it_opens_a_fleet(tmp_path: Path) -> None:
    fleet_ = inventory(tmp_path, "", master=1)
    old = project(fleet_of(fleet_), "master") / ".dtui"
    old.mkdir()
    (old / "known_hosts").write_text("x")
    (old / "known_hosts").chmod(0o644)
    old.chmod(0o755)
    async with fleet_of(fleet_):
        assert loose(str(old)) == []


def test_a_link_in_the_place_of_a_folder_or_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(0o755)
    victim = target / "victim"
    victim.write_text("precious")
    (tmp_path / ".dtui").symlink_to(target)
    with pytest.raises(NotADirectoryError):
        private.claim(str(tmp_path / ".dtui"))
    (tmp_path / "file").symlink_to(victim)
    for how in ("w", "a", "x"):
        with pytest.raises(OSError, match=r"symbolic links|exists"):
            open(tmp_path / "file", how, opener=private.opener).close()
    assert victim.read_text() == "precious"
    assert not (target / "private").exists()


def as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as another user of the machine."""
    need("root")
    program = f"import os, sys\nos.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n{code}"
    return subprocess.run(
        [sys._base_executable, "-I", "-c", program, *arguments],  # type: ignore[attr-defined]
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        cwd="/",
    )


@pytest.fixture
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that every user of the machine may write into, as /tmp, on a path that all may enter."""
    import shutil
    import tempfile

    made = Path(tempfile.mkdtemp(prefix="public-"))
    made.chmod(0o1777)
    yield made
    shutil.rmtree(made)


def test_another_user_reads_nothing_of_it(public: Path) -> None:
    own = public / "project" / ".dtui"
    private.make_folders(str(own / "runs" / "r1"))
    with open(own / "runs" / "r1" / "spec.json", "w", opener=private.opener) as file:
        file.write("secret")
    code = "print(open(sys.argv[1]).read())"
    seen = as_nobody(code, str(own / "runs" / "r1" / "spec.json"))
    assert "PermissionError" in seen.stderr
    assert "secret" not in seen.stdout


def test_a_folder_that_another_user_prepared_is_refused(public: Path) -> None:
    made = as_nobody("os.makedirs(sys.argv[1]); os.chmod(sys.argv[1], 0o777)", str(public / ".dtui"))
    assert made.returncode == 0, made.stderr
    code = f"""
sys.path.insert(0, {str(Path(private.__file__).parents[1])!r})
from agent import private
os.setgroups([]); os.setgid(1); os.setuid(1)
try:
    private.claim(sys.argv[1])
except PermissionError as error:
    print(error)
"""
    said = subprocess.run(
        [sys._base_executable, "-I", "-c", "import os, sys\n" + code, str(public / ".dtui")],  # type: ignore[attr-defined]
        capture_output=True,
        text=True,
        check=False,
    )
    assert "belongs to another user" in said.stdout, said.stderr


@pytest.mark.parametrize(
    "trap", ["os.symlink('/etc', path)", "os.mkdir(path, 0o777)", "open(path, 'w').close()"]
)
def test_the_agents_cache_in_tmp_is_never_another_users(
    public: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    from agent import bootstrap

    fallback = public / "dtui-root"
    as_nobody(f"path = sys.argv[1]; {trap}", str(fallback))
    assert fallback.is_symlink() or fallback.exists()
    monkeypatch.setattr(bootstrap, "folders", lambda: iter([str(fallback)]))
    before = sorted(path.name for path in Path("/etc").iterdir())
    with pytest.raises(SystemExit, match="no folder to keep the agent in"):
        bootstrap.keep(b"blob", __import__("hashlib").sha256(b"blob").hexdigest())
    assert bootstrap.cached("0" * 64) is None
    assert sorted(path.name for path in Path("/etc").iterdir()) == before


@pytest.mark.needs("posix")
def test_the_record_of_a_run_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A program of the project may have planted it; the `.dtui` itself may be a link of the user."""
    plan = plan_of(inventory(tmp_path, "", master=1))
    (tmp_path / "disk").mkdir()
    (tmp_path / "elsewhere").mkdir()
    home = tmp_path / "project" / ".dtui"
    home.parent.mkdir()
    home.symlink_to(tmp_path / "disk")
    RunStore(home, "run-1").create(plan)
    assert (tmp_path / "disk" / "runs" / "run-1" / "plan.json").is_file()
    (tmp_path / "disk" / "runs").rename(tmp_path / "kept")
    (home / "runs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FleetError, match=r"cannot record the run: .*runs: not a folder, but a link"):
        RunStore(home, "run-2").create(plan)
    assert list((tmp_path / "elsewhere").iterdir()) == []
