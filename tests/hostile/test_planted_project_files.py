"""A FIFO, socket, device or huge file in place of a file that commands read: an error or a default."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.planted import link, listener, pipe, sparse

pytestmark = pytest.mark.needs("posix")

#: Prints a line for each file that was read in its way, and at last the memory in MiB.
READ = """
import asyncio, os, sys
from pathlib import Path
from fleet.bounded_yaml import load_file
from fleet.deploy.ignore import IgnoreRules
from fleet.deploy.recipe import recipe_of
from fleet.deploy.setup_files import made_by_setup
from fleet.init.candidates import find_candidates
from fleet.inventory import load_inventory, load_workers_json
from fleet.runs.origin import read_origin
from fleet.telemetry.settings import load_settings
from tests.hostile import planted
from transports.base import Endpoint
from transports.errors import TransportError
from transports.ssh.known_hosts import KnownHosts
from transports.ssh.transport import SshTransport
from tui.cli.main import main
from tui.keys.keymap import user_keymap

folder = Path(sys.argv[2])
(folder / "kept" / "configs").mkdir(parents=True)
(folder / "kept" / "configs" / "nodes.yaml").write_text("run: {script: train.py}\\n")
kept = load_inventory(folder / "kept" / "configs" / "nodes.yaml")

def command(*words):
    try:
        return f"exit {main(list(map(str, words)))}"
    except SystemExit as ended:
        return f"exit {ended.code}"

def login(project):
    known = project / ".dtui" / "known_hosts"
    transport = SshTransport(
        Endpoint("127.0.0.1", 1, "kim", identities=(project / "key",)), known_hosts=known, ssh_folder=project
    )
    try:
        asyncio.run(transport.connect())
    except TransportError as error:
        return str(error)

def origin(project):
    import msgspec
    return read_origin(msgspec.structs.replace(kept, project=project)).config_digest or "no digest"

CASES = {
    "configs/nodes.yaml": lambda project, path: command("nodes", "--offline", "-i", path),
    "hosts": lambda project, path: command("init", "--from", path, "--project", project),
    "workers.json": lambda project, path: load_workers_json(path, project=project),
    "configs/telemetry.yaml": lambda project, path: load_settings(path),
    "configs/accelerate.yaml": lambda project, path: load_file(path),
    "configs/train_config.yaml": lambda project, path: origin(project),
    "keys.yaml": lambda project, path: user_keymap(path),
    ".gitignore": lambda project, path: IgnoreRules.read(project).read_folder("", project),
    ".dtuiignore": lambda project, path: IgnoreRules.read(project),
    "pyproject.toml": lambda project, path: recipe_of(project),
    ".dtui/setup-gpu1.json": lambda project, path: made_by_setup(project),
    "config": lambda project, path: (find_candidates(project), login(project)),
    "known_hosts": lambda project, path: (
        find_candidates(project), KnownHosts(project / "own", (path,)).recorded("gpu1", 22)
    ),
    ".dtui/known_hosts": lambda project, path: login(project),
    "key": lambda project, path: login(project),
}
for number, (name, read) in enumerate(CASES.items()):
    project = folder / str(number)
    path = project / name
    path.parent.mkdir(parents=True)
    getattr(planted, sys.argv[1])(path)
    try:
        result = read(project, path)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print("READ", name, str(result).replace("\\n", " "), flush=True)
# Not getrusage's: on Linux that includes the memory of the process which started this one.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10)
"""
#: What a wrong kind of file must be refused as, by a message; the other files are optional.
REFUSED = (
    "workers.json",
    "configs/telemetry.yaml",
    "configs/accelerate.yaml",
    "pyproject.toml",
    "config",
    "key",
)


@pytest.mark.parametrize("plant", [pipe, listener, link, sparse])
def test_a_planted_file_is_an_error_or_ignored(plant: Callable[[Path], None], tmp_path: Path) -> None:
    command = [sys.executable, "-c", READ, plant.__name__, str(tmp_path)]
    # The limit matters only for a hang.
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    *lines, memory = done.stdout.splitlines()
    results = {words[1]: words[2] for line in lines if (words := line.split(" ", 2))[0] == "READ"}
    assert len(results) == 15
    for name in REFUSED:
        assert re.search("not a regular file|larger than|more than", results[name]), (name, results[name])
    assert results["configs/nodes.yaml"] == "exit 2"
    assert results["hosts"] == "exit 1"
    assert "Traceback" not in done.stderr
    assert int(memory) < 300
