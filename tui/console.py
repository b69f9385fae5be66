"""Opens the console: on a project's inventory, or on a demo. Textual is imported here, not before."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.demo import Demo
    from transports.base import Prompts

DONE, FAILED = 0, 1
#: Where a project's inventory is, unless something else is said.
DEFAULT_INVENTORY = Path("configs/nodes.yaml")


def run_console(
    inventory: Path,
    *,
    project: Path,
    lang: str | None = None,
    read_only: bool = False,
    theme: str | None = None,
    prompts: Prompts | None = None,
) -> int:
    """Open the console on an inventory file, which need not exist; returns the exit status.

    Raises FaultsError when the inventory is faulty.
    """
    from tui.collector import collecting_later

    with collecting_later() as collect:
        from tui.app import ConsoleApp
        from tui.fleet_operations import FleetOperations
        from tui.kept_passwords import kept_password
        from tui.prompts import Questions
        from tui.view_state import ViewState, user_keymap

        questions = Questions(kept_password)
        operations = FleetOperations(inventory, project=project, prompts=prompts or questions)
        kept = ViewState.load(project / ".dtui" / "console.json")
        app = ConsoleApp(
            operations,
            lang=lang or kept.lang,
            theme=theme or kept.theme,
            read_only=read_only,
            questions=questions,
            keymap=user_keymap(),
            first=kept.mode,
            views=kept.views,
            begun=collect,
        )
        app.run()
    ViewState(app.texts.lang, app.theme, app.shown, app.views).save(project / ".dtui" / "console.json")
    run = app.engine.state.run
    if run is not None and run.active:
        sys.stderr.write(
            f"run {run.id} goes on without the console: `dtui` or `dtui logs --follow` shows it again, "
            "`dtui stop` ends it\n"
        )
    return app.return_code or DONE


def run_demo(
    folder: Path,
    *,
    nodes: int = 3,
    winrm: int = 0,
    lang: str | None = None,
    read_only: bool = False,
    theme: str | None = None,
) -> int:
    """Open the console on nodes made up on this machine, which go away with it; returns the exit status."""
    from lab.errors import LabError

    try:
        with _lab(folder, nodes, winrm) as demo:
            source = folder / "configs" / "nodes.yaml"
            return run_console(
                source, project=folder, lang=lang, read_only=read_only, theme=theme, prompts=demo.lab.prompts
            )
    except LabError as error:
        sys.stderr.write(f"dtui: {error}\n")
        return FAILED


@contextmanager
def _lab(folder: Path, nodes: int, winrm: int) -> Iterator[Demo]:
    """The demo's nodes on a thread and a loop of their own, so that they share nothing with the console."""
    from lab.demo import start_demo

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lab", daemon=True)
    thread.start()
    demo = start_demo(folder, nodes=nodes, winrm=winrm)
    try:
        started = asyncio.run_coroutine_threadsafe(demo.__aenter__(), loop).result()
        try:
            yield started
        finally:
            asyncio.run_coroutine_threadsafe(demo.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
