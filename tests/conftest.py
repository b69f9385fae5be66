"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import pytest_textual_snapshot
from hypothesis import settings

from lab.addresses import AddressBlock
from tests.support.needs import MARKERS, need
from tests.support.own_network import own_network as a_network
from tests.support.pythons import missing
from tests.support.snapshots import ScreenSnapshot

# In CI the same examples each time: a change is judged by itself, not by luck.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "search")


class _Nothing(dict[str, str]):
    """Stands in for the environment in the plugin's HTML report, which may be handed around."""

    def __init__(self, *_: object) -> None:
        super().__init__()


#: Where the run controllers of this process's tests have their sockets.
_RUNTIME = Path(tempfile.mkdtemp(prefix="dtui-tests-"))


def pytest_configure(config: pytest.Config) -> None:
    os.environ["XDG_RUNTIME_DIR"] = str(_RUNTIME)
    # A shell starts background jobs with SIGINT ignored, which the programs of the tests would inherit.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    pytest_textual_snapshot.SVGImageExtension = ScreenSnapshot
    make = pytest_textual_snapshot.SvgSnapshotDiff

    def without_environment(**fields: object) -> object:
        return make(**{**fields, "environment": _Nothing()})

    pytest_textual_snapshot.SvgSnapshotDiff = without_environment


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``full`` unless this is a full run (``make full``)."""
    if os.environ.get("DTUI_FULL"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    if full:
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers():
        need(*MARKERS.get(marker.name, ()))
        if marker.name == "needs":
            need(*marker.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the Pythons under which no agent was tested."""
    if os.environ.get("CI") and (absent := missing()):
        terminalreporter.write_sep("=", "Pythons that no agent was tested with")
        terminalreporter.write_line(", ".join(absent))


@pytest.fixture(autouse=True)
def no_controller_stays() -> Iterator[None]:
    """End the run controllers that a test has started: each would stay for ten minutes."""
    yield
    sockets = set(_RUNTIME.iterdir())
    if sockets:
        for process in psutil.process_iter(["cmdline"]):
            if "tui.operations.run_controller" not in (process.info["cmdline"] or ()):
                continue
            with suppress(psutil.Error):
                if process.environ().get("XDG_RUNTIME_DIR") == str(_RUNTIME):
                    process.kill()
                    process.wait(60)
        for socket in sockets:
            shutil.rmtree(socket, ignore_errors=True)


def pytest_unconfigure() -> None:
    shutil.rmtree(_RUNTIME, ignore_errors=True)


@pytest.fixture
def agent_python() -> str:
    """The interpreter of the agents that a test starts; tests/pythons replaces it by older and newer ones."""
    return sys.executable


@pytest.fixture
def address() -> Iterator[str]:
    """A loopback address of the test's own, on which the usual ports of services are free."""
    block = AddressBlock()
    yield block.node(0)
    block.release()


@pytest.fixture
def own_network() -> Iterator[None]:
    """A loopback of the test's own, so that its fixed ports (29500-29504) meet nobody."""
    with a_network():
        yield
