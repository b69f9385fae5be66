"""``dtui doctor`` tells what it sees of this machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TypedDict

import pytest

from agent.quoting import command_line
from agent.wire.message import MessageData
from tests.init.conftest import Desk
from tui.cli.doctor import examine, owner_only, readers


class Finding(TypedDict):
    name: str
    status: str
    seen: MessageData
    remedy: MessageData


def findings(desk: Desk) -> dict[str, Finding]:
    done = desk.run("doctor", "--json")
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_a_fit_machine(desk: Desk) -> None:
    key = desk.home / ".ssh" / "id_ed25519"
    key.touch(0o600)
    found = findings(desk)
    for name in (
        "python",
        "packages",
        "training",
        "ssh keys",
        "ssh agent",
        "project",
        "inventory",
        "terminal",
    ):
        assert found[name]["status"] == "ok", found[name]
    assert desk.run("doctor").returncode == 0


def test_a_key_that_others_may_read_and_a_faulty_inventory(desk: Desk) -> None:
    key = desk.home / ".ssh" / "id_ed25519"
    key.touch()
    key.chmod(0o644)
    (desk.folder / "configs").mkdir()
    (desk.folder / "configs" / "nodes.yaml").write_text("nodes:\n  - adress: 192.168.1.101\n", "utf-8")
    found = findings(desk)
    assert found["ssh keys"]["status"] == "warn"
    assert "chmod 600" in found["ssh keys"]["remedy"]["text"]
    assert found["inventory"]["status"] == "fail"
    assert "adress" in found["inventory"]["seen"]["text"]
    assert desk.run("doctor").returncode == 1


def test_a_rendezvous_port_in_use_is_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        found = {finding.name: finding for finding in examine(tmp_path, tmp_path, [port])}
    assert found["ports"].status == "warn"
    assert "--port" in found["ports"].remedy


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    found = {finding.name: finding for finding in examine(tmp_path / "none", tmp_path)}
    assert found["project"].status == "fail"


KIM = "S-1-5-21-1-2-3-1001"


@pytest.mark.parametrize(
    ("access_list", "others"),
    [
        (f"D:P(A;;FA;;;{KIM})(A;;FA;;;SY)(A;;FA;;;BA)", ()),
        ("D:P(A;;FA;;;S-1-5-18)(A;;0x1f01ff;;;S-1-5-32-544)", ()),
        ("D:", ()),
        ("D:AI(A;ID;0x1200a9;;;BU)(A;ID;FA;;;SY)", ("BU",)),
        ("D:AI(A;ID;FR;;;WD)(A;ID;GR;;;AU)(A;ID;FR;;;WD)", ("WD", "AU")),
        ("D:P(A;;CCLC;;;S-1-5-21-1-2-3-1002)", ("S-1-5-21-1-2-3-1002",)),
        ("D:P(A;;0x80000000;;;IU)", ("IU",)),
        # Denied, and without the right to read.
        ("D:P(D;;FA;;;WD)(A;;0x100000;;;BU)(A;;RC;;;AU)", ()),
        ("D:NO_ACCESS_CONTROL", ("WD",)),
        ("", ("WD",)),
    ],
)
def test_who_else_may_read_a_key_on_windows(access_list: str, others: tuple[str, ...]) -> None:
    assert readers(access_list, KIM) == others


def test_the_command_that_protects_a_key_on_windows_is_one_of_powershell() -> None:
    command = owner_only("C:\\Users\\Kim Lee\\.ssh\\id_ed25519", KIM, ("WD", "S-1-5-21-7"))
    assert command_line(command, windows=True) == (
        f'icacls "C:\\Users\\Kim Lee\\.ssh\\id_ed25519" /inheritance:r /grant:r "*{KIM}:F" '
        '/remove:g "*S-1-1-0" /remove:g "*S-1-5-21-7"'
    )
