"""A complete run with planted secrets: what dtui leaves behind, and every command line meanwhile, holds none.

The environments of living processes are the exception: the ranks need their secrets there, and only the same
account and administrators can read them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions, deploy
from fleet.event_json import to_json
from fleet.events import Event, LogChunk, RunFinished
from fleet.fleet import Fleet
from fleet.inventory import RunSettings, load_inventory, save_inventory
from fleet.node_files import node_files
from fleet.runs import LaunchOptions, run_to_end
from fleet.secrets import Secret
from lab.lab import Lab
from tests.runs.fleets import plan_of

ENVIRONMENT = "planted-env-7c1b9e"
WANDB = "planted-wandb-4410aa"
URL = "planted-url-93fd02"
NESTED = "planted-nested-5e77c3"

CONFIG = f"""
training: {{batch_size: 8, mixed_precision: "no"}}
loggers:
  - name: wandb
    api_key: {WANDB}
    args: [--wandb-key, {WANDB}, --token={WANDB}]
data: s3://kim:{URL}@storage.example/plans
auth: {{more: [{{bearer: {NESTED}}}]}}
"""

PROGRAM = """
import hashlib, os, pathlib, time
print(hashlib.sha256(os.environ["PLANTED"].encode()).hexdigest(), flush=True)
end = time.monotonic() + 300
while not pathlib.Path(os.environ["WATCHED"]).exists() and time.monotonic() < end:
    time.sleep(0.02)
"""


class CommandLines:
    """Reads the command lines of all processes, again and again."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def look(self) -> None:
        for process in psutil.process_iter(["cmdline"]):
            self.lines.add("\0".join(process.info["cmdline"] or ()))

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.look()

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._end.set()
            self._thread.join()


def written_by_dtui(folder: Path, *, copies: set[bytes]) -> Iterator[tuple[Path, bytes]]:
    """Every file below the folder that is no verbatim copy of one of the user's own, names included."""
    for path in folder.rglob("*"):
        yield path, str(path).encode()
        if path.is_file() and (data := path.read_bytes()) not in copies:
            yield path, data


def command(project: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tui", *words], cwd=project, capture_output=True, timeout=90, check=False
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.timeout(240)
async def test_a_complete_run_leaves_no_secret_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    watched = tmp_path / "watched"
    run = RunSettings(
        module=None,
        script="train.py",
        config="train.yaml",
        env=(("WATCHED", str(watched)),),
        secrets=("PLANTED",),
    )
    commands = CommandLines()
    async with Lab(1, root=tmp_path / "lab") as lab:
        project = tmp_path / "project"
        (project / "configs").mkdir(parents=True)
        own = {"train.py": PROGRAM, "train.yaml": CONFIG}
        for name, text in own.items():
            (project / name).write_text(text, encoding="utf-8")
        described = lab.inventory(project, run=run)
        existing = {"environment": "existing", "interpreter": sys.executable}
        described = replace(
            described,
            master=replace(described.master, **existing),
            workers=tuple(
                replace(node, identity=None, **existing)  # by password: a secret as well
                for node in described.workers
            ),
        )
        save_inventory(described, project / "configs" / "nodes.yaml")
        inventory = load_inventory(project / "configs" / "nodes.yaml")
        inventory = replace(inventory, master=described.master)
        lab.trust(project / ".dtui" / "known_hosts")
        plan = plan_of(inventory, "planted")
        deploying = DeployOptions(configure=lambda node: node_files(plan, node.name))
        starting = LaunchOptions(secrets={"PLANTED": Secret(ENVIRONMENT)})
        events: list[Event] = []
        with commands.watched():
            async with Fleet(inventory, home=project / ".dtui", prompts=lab.prompts) as fleet:
                # Not `up`: its preflight would have the trainer that ships with dtui judge the configuration.
                for steps in (
                    deploy(fleet, fleet.nodes, deploying),
                    run_to_end(fleet, plan, starting),
                ):
                    async for event in steps:
                        events.append(event)
                        if isinstance(event, LogChunk) and not watched.exists():
                            commands.look()  # while the ranks run
                            watched.touch()
        login = [password for node in lab.nodes if (password := getattr(node, "password", ""))]
        planted = [ENVIRONMENT, WANDB, URL, NESTED, *login]
        assert login, "the lab logs in with a password"
        finished = [event for event in events if isinstance(event, RunFinished)]
        assert [event.outcome for event in finished] == ["succeeded"], events[-5:]
        expected = hashlib.sha256(ENVIRONMENT.encode()).hexdigest()
        output = b"".join(event.data for event in events if isinstance(event, LogChunk)).decode()
        assert output.count(expected) == len(inventory.nodes), "each rank had the secret"

        texts = {f"event {number}": to_json(event) for number, event in enumerate(events)}
        for words in (("status", "--json"), ("logs",), ("logs", "--json"), ("replay", "--json"), ("replay",)):
            texts[" ".join(words)] = command(project, *words)
        assert finished[0].run in texts["replay --json"]
        copies = {text.encode() for text in own.values()}
        nodes = [node.home.folder for node in lab.nodes]
        found = [
            (secret[:12], str(place))
            for secret in planted
            for root in (project / ".dtui", project / "configs", *nodes, tmp_path / "cache")
            for place, data in written_by_dtui(root, copies=copies)
            if secret.encode() in data
        ]
        found += [(secret[:12], name) for secret in planted for name, text in texts.items() if secret in text]
        found += [
            (secret[:12], "a command line") for secret in planted for line in commands.lines if secret in line
        ]
        assert found == []
        assert any("train.py" in line for line in commands.lines), "the ranks' command lines were looked at"
        recorded = json.loads(
            (project / ".dtui" / "runs" / finished[0].run / "origin.json").read_text("utf-8")
        )
        assert recorded["settings"]["training.batch_size"] == "8"
