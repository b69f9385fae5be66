"""Programs as their authors wrote them, launched with the command on the SSH nodes of a lab."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

AUTHORS = Path(__file__).parent / "authors"
ROOT = Path(__file__).parent.parent.parent
#: Against a test that hangs, and never a measure: the machine may be busy.
LIMIT = 500.0
NODES = ("master", "node1", "node2")


def _environment(lab: Path) -> dict[str, str]:
    temporary = lab / "tmp"
    temporary.mkdir(exist_ok=True)
    own = {"XDG_CACHE_HOME": str(lab / "cache"), "TMPDIR": str(temporary)}
    return {**os.environ, "PYTHONPATH": str(ROOT), **own}


@contextmanager
def running_lab(folder: Path) -> Iterator[Path]:
    """Run ``dtui lab`` with two nodes; its inventory is ``nodes.yaml`` in the folder."""
    words = ["lab", "--nodes", "2", "--inventory-out", "nodes.yaml"]
    command = [sys.executable, "-m", "tui", *words]
    lab = subprocess.Popen(command, cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + LIMIT
        while not (folder / "nodes.yaml").exists():
            assert lab.poll() is None, "the lab has ended"
            assert time.monotonic() < end, "the lab did not start"
            time.sleep(0.02)
        yield folder
    finally:
        lab.send_signal(signal.SIGINT)
        lab.wait(LIMIT)


@dataclass
class Done:
    """How a command of dtui has ended, and what its run printed."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What a test shows when the command has failed."""
        if not self.out.startswith("{"):
            return f"{self.err}\n{self.out}"
        wrong = [event for event in self.events if "fail" in event.values() or "error" in event.values()]
        return "\n".join([self.err, *(json.dumps(event, ensure_ascii=False) for event in wrong)])

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that ``--json`` prints."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


class ProgramSite:
    """A project on the master, with an inventory of the lab's nodes."""

    def __init__(self, lab: Path, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        folder.mkdir()
        (folder / ".dtui").mkdir()
        shutil.copy(lab / ".dtui/known_hosts", folder / ".dtui")
        self.inventory: dict[str, Any] = yaml.safe_load((lab / "nodes.yaml").read_text("utf-8"))
        self.inventory["project"] = ".."
        (folder / "configs").mkdir()
        self.save()

    def save(self) -> None:
        (self.folder / "configs/nodes.yaml").write_text(yaml.safe_dump(self.inventory), "utf-8")

    def entry(self, node: str) -> dict[str, Any]:
        """The node's entry in the inventory; call :meth:`save` after a change."""
        entries = [self.inventory["master"], *self.inventory["nodes"]]
        (found,) = [entry for entry in entries if entry["name"] == node]
        assert isinstance(found, dict)
        return found

    def home(self, node: str) -> Path:
        """The home folder of a node of the lab."""
        return Path(self.entry(node)["identity"]).parent / "home"

    def project(self, node: str) -> Path:
        """The node's project folder."""
        return self.folder if node == "master" else self.home(node) / "dtui" / self.folder.name

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, contents in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents.encode() if isinstance(contents, str) else contents)

    def author(self, name: str, place: str = "") -> None:
        """Put a program of ``authors`` into the project."""
        self.write({place or name: (AUTHORS / name).read_bytes()})

    def run(self, *words: str, log: str | None = None) -> Done:
        """Run a command of dtui as a user types it in the project; ``> log`` there instead of to a pipe."""
        with ExitStack() as stack:
            output = stack.enter_context((self.folder / log).open("wb")) if log else subprocess.PIPE
            done = subprocess.run(
                [sys.executable, "-m", "tui", *words],
                cwd=self.folder,
                env=_environment(self.lab),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                timeout=LIMIT,
            )
        out = (self.folder / log).read_text("utf-8") if log else done.stdout
        return Done(done.returncode, out, done.stderr)

    def session(self, node: str, command: str) -> subprocess.Popen[str]:
        """Start a shell command in the node's project folder: by ssh, or here on the master."""
        # Where a lab's node is, no key of the developer's own is to be tried.
        if node == "master":
            words = ["sh", "-c", command]
        else:
            entry = self.entry(node)
            options = {
                "UserKnownHostsFile": str(self.folder / ".dtui/known_hosts"),
                "IdentitiesOnly": "yes",
                "BatchMode": "yes",
            }
            given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
            target = f"{entry['user']}@{entry['address']}"
            reach = ["ssh", "-F", "none", "-i", entry["identity"], "-p", str(entry["port"]), *given, target]
            words = [*reach, f"cd dtui/{self.folder.name} && {command}"]
        return subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def results(self, *nodes: str) -> dict[int, dict[str, Any]]:
        """Return what each rank has written on its node, which is where its author expects it."""
        found: dict[int, dict[str, Any]] = {}
        for node in nodes or NODES:
            for path in self.project(node).glob("result-*.json"):
                rank = int(path.stem.removeprefix("result-"))
                assert rank not in found, "a rank's file is on one node only"
                found[rank] = {"node": node, **json.loads(path.read_text("utf-8"))}
        return dict(sorted(found.items()))

    def files(self, node: str) -> set[str]:
        """Return the files below the node's project, apart from dtui's own and what Python compiles."""
        root = self.project(node)
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        own = {".dtui", "__pycache__", "configs"}
        return {path.as_posix() for path in found if not own & set(path.parts)}

    def clean(self) -> None:
        for node in NODES[1:]:
            shutil.rmtree(self.project(node), ignore_errors=True)
