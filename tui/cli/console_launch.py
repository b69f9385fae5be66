"""Opens the console: on a project's inventory, or on a demo. Textual is imported here, not before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.wire.message import message
from lab.errors import LabError
from tui.cli.exits import DONE, FAILED
from tui.cli.output import err

if TYPE_CHECKING:
    from lab.demo import Demo
    from transports.base import Prompts

#: Language, theme and views of the last console, below the project's folder.
_VIEW_STATE = Path(".dtui") / "console.json"


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
    from tui.internal_errors import InternalErrors

    with collecting_later() as collect:
        from tui.app import ConsoleApp
        from tui.dialogs.questions import Questions
        from tui.keys.keymap import user_keymap
        from tui.operations.fleet_operations import FleetOperations
        from tui.secrets.saved_passwords import saved_password
        from tui.state.view_state import ViewState

        questions = Questions(saved_password)
        operations = FleetOperations(
            inventory,
            project=project,
            prompts=prompts or questions,
            ask_secret=questions.secret,
            confirm=questions.confirmed,
        )
        kept = ViewState.load(project / _VIEW_STATE)
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
            errors=InternalErrors(project),
        )
        app.run()
    ViewState(app.session.texts.lang, app.theme, app.session.shown_mode, app.session.views).save(
        project / _VIEW_STATE
    )
    run = app.engine.state.run
    if run is not None and run.active:
        left = message(
            "console-launch.run-continues",
            "run {run} keeps running without the console: `dtui` or `dtui logs --follow` shows it again, "
            "`dtui stop` ends it",
            run=run.id,
        )
        err(app.session.texts.sentence(left))
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
    try:
        with _lab(folder, nodes, winrm) as demo:
            source = folder / "configs" / "nodes.yaml"
            return run_console(
                source, project=folder, lang=lang, read_only=read_only, theme=theme, prompts=demo.lab.prompts
            )
    except LabError as error:
        err(f"dtui: {error}")
        return FAILED


@contextmanager
def _lab(folder: Path, nodes: int, winrm: int) -> Iterator[Demo]:
    """The demo's nodes on a separate thread and event loop, independent of the console."""
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
