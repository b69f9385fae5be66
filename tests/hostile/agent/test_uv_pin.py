"""The uv that dtui installs on a node is the one whose hash it knows, or none."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import zipfile
from pathlib import Path

import pytest

from agent.environments import uv, uv_pin
from agent.environments.programs import Programs
from agent.server import OperationError
from agent.wire.deploy import OutputItem
from scripts import pin_uv
from tests.deploy.conftest import BASE_PYTHON

SCRIPT = "#!/bin/sh\necho uv 99\n"


def wheel(folder: Path, content: str = SCRIPT) -> str:
    """Make a wheel that calls itself the pinned uv, and return its SHA-256."""
    folder.mkdir(exist_ok=True)
    name = f"uv-{uv_pin.VERSION}"
    path = folder / f"{name}-py3-none-any.whl"
    info = f"{name}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.data/scripts/uv", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {uv_pin.VERSION}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Node:
    """Runs programs as the environment operation does, with the wheels of one folder as their index."""

    def __init__(self, wheels: Path) -> None:
        self.wheels = wheels
        self.said: list[str] = []
        own = ("PIP_", "PYTHON")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        variables["PIP_CONFIG_FILE"] = os.devnull
        self.programs = Programs(self._take, threading.Event(), variables, {})

    def install(self, cache: Path) -> str:
        return uv.install(str(cache), str(self.wheels), self.programs)

    def _take(self, item: OutputItem) -> None:
        self.said += (item["text"] or "").splitlines()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(uv.sys, "executable", BASE_PYTHON)
    return Node(tmp_path / "wheels")


def pin(monkeypatch: pytest.MonkeyPatch, *hashes: str) -> None:
    text = uv_pin.requirements(wheels=hashes)
    monkeypatch.setattr(uv_pin, "requirements", lambda: text)


def test_the_file_with_the_known_hash_is_installed(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, "0" * 64, wheel(node.wheels))
    program = node.install(tmp_path / "cache")
    assert Path(program).read_text().endswith("echo uv 99\n")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["uv"]


def test_a_file_with_another_hash_is_refused_and_nothing_of_it_stays(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = wheel(tmp_path / "known")
    wheel(node.wheels, SCRIPT + "touch PWNED\n")
    pin(monkeypatch, known)
    with pytest.raises(OperationError, match="installing uv") as refused:
        node.install(tmp_path / "cache")
    assert any("DO NOT MATCH THE HASHES" in line for line in node.said)
    assert "served a file with another hash" in str(refused.value.remedy)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_version_is_not_installed(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.wheels.mkdir()
    pin(monkeypatch, "0" * 64)
    with pytest.raises(OperationError):
        node.install(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_pin_has_a_hash_for_each_wheel_and_names_no_index() -> None:
    text = uv_pin.requirements()
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+( --hash=sha256:[0-9a-f]{64})+\n", text)
    assert len(set(uv_pin.WHEELS)) == len(uv_pin.WHEELS) >= 15


def test_a_new_pin_replaces_the_version_and_the_hashes_and_nothing_else() -> None:
    text = pin_uv.TARGET.read_text("ascii")
    assert pin_uv.pinned(text, uv_pin.VERSION, list(uv_pin.WHEELS)) == text
    hashes = ["a" * 64, "b" * 64]
    changed = pin_uv.pinned(text, "9.8.7", hashes)
    found: dict[str, object] = {}
    exec(changed, found)
    assert (found["VERSION"], found["WHEELS"]) == ("9.8.7", tuple(hashes))
    assert pin_uv.pinned(changed, uv_pin.VERSION, list(uv_pin.WHEELS)) == text
    with pytest.raises(SystemExit, match="0 places"):
        pin_uv.pinned("", "9.8.7", hashes)
