"""Deploys to Windows nodes: names, locks and attributes that only Windows has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fleet.deploy import DeployOptions, deploy
from fleet.events import Event, NodeDeployed
from lab.wine.machine import WindowsMachine
from tests.wine.fleets import NODES, Site, collect, of, site

pytestmark = [pytest.mark.wine, pytest.mark.timeout(150), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(machine: WindowsMachine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(machine, tmp_path_factory.mktemp("deploy")) as made:
        yield made


async def run(place: Site, *nodes: str) -> tuple[list[Event], dict[str, NodeDeployed]]:
    targets = [place.inventory.node(name) for name in nodes or NODES]
    # The files are what these tests are about: the interpreter is not looked at.
    options = DeployOptions(environment="existing")
    events = await collect(deploy(place.fleet, targets, options))
    return events, {event.node: event for event in of(events, NodeDeployed)}


async def test_both_versions_of_python_tell_what_their_node_is(place: Site) -> None:
    facts = await asyncio.gather(*(place.call(node, "probe") for node in NODES))
    assert [fact["os"]["system"] for fact in facts] == ["Windows", "Windows"]
    assert [fact["python"]["version"].rpartition(".")[0] for fact in facts] == ["3.9", "3.11"]


async def test_files_arrive_whatever_their_names_and_contents(place: Site) -> None:
    files: dict[str, str | bytes] = {
        "program.py": "print('hi')\n",
        "data/도면/평면도 1층.txt": "한글 내용\n",
        "crlf.txt": b"one\r\ntwo\n\x1athree\r\n",
        "empty.txt": b"",
        "binary.bin": bytes(range(256)) * 3000,
        "/".join(["deep" * 12] * 6) + "/file.txt": "longer than 260 characters with its folder",
    }
    place.write(files)
    _, ends = await run(place)
    for node in NODES:
        assert ends[node].ok, ends[node].detail
        for name, contents in files.items():
            expected = contents.encode() if isinstance(contents, str) else contents
            assert (place.project(node) / name).read_bytes() == expected
    _, again = await run(place)
    assert {node: (end.ok, end.bytes_sent) for node, end in again.items()} == dict.fromkeys(NODES, (True, 0))


async def test_a_file_that_is_open_keeps_the_old_tree(place: Site) -> None:
    place.write({"held.txt": "old", "other.txt": "old"})
    await run(place)
    place.write({"held.txt": "new!", "other.txt": "new!"})
    locks = []
    for node in NODES:
        target = place.windows_project(node) + r"\held.txt"
        code = f"import sys; f = open({target!r}); print(1, flush=True); sys.stdin.read()".replace("'", '"')
        script = place.machine.drive / f"hold-{node}.py"
        script.write_text(code)
        python = place.machine.python()
        line = rf"{python} C:\{script.name}"
        process = place.machine.run("winrm", line, variables={}, folder="C:\\")
        assert process.stdout.readline() == b"1\r\n"
        locks.append(process)
    try:
        _, ends = await run(place)
        for node in NODES:
            assert not ends[node].ok
            assert "held.txt" in ends[node].detail
            assert "close the program" in ends[node].remedy
            assert (place.project(node) / "other.txt").read_text() == "old"
    finally:
        for process in locks:
            process.stdin.close()
            process.wait()
    _, ends = await run(place)
    for node in NODES:
        assert ends[node].ok, ends[node].detail
        assert (place.project(node) / "held.txt").read_text() == "new!"


async def test_a_read_only_file_is_replaced_and_removed(place: Site) -> None:
    place.write({"fixed.txt": "old", "gone.txt": "old"})
    await run(place)
    for node in NODES:
        for name in ("fixed.txt", "gone.txt"):
            (place.project(node) / name).chmod(0o444)  # Wine shows it as the read-only attribute
    place.write({"fixed.txt": "newer"})
    (place.source / "gone.txt").unlink()
    _, ends = await run(place)
    for node in NODES:
        assert ends[node].ok, ends[node].detail
        assert (place.project(node) / "fixed.txt").read_text() == "newer"
        assert not (place.project(node) / "gone.txt").exists()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Readme.txt", "README.TXT"], "README.TXT"),
        (["aux.py"], "reserve"),
        (["what?.txt"], "does not allow"),
        (["trailing."], "removes"),
    ],
)
async def test_names_that_windows_cannot_keep_are_told_before_anything_is_sent(
    place: Site, names: list[str], reason: str
) -> None:
    place.write(dict.fromkeys(names, "x"))
    try:
        _, ends = await run(place)
        for node in NODES:
            assert not ends[node].ok
            assert reason in ends[node].detail + ends[node].remedy
            assert ends[node].files_sent == 0
    finally:
        for name in names:
            (place.source / name).unlink()


async def test_a_rename_that_only_changes_the_case(place: Site) -> None:
    place.write({"Module.py": "one"})
    await run(place)
    (place.source / "Module.py").rename(place.source / "module.py")
    _, ends = await run(place)
    for node in NODES:
        assert ends[node].ok, ends[node].detail
        names = {path.name for path in Path(place.project(node)).iterdir()}
        assert "module.py" in {name.lower() for name in names}
        assert (place.project(node) / next(n for n in names if n.lower() == "module.py")).read_text() == "one"
