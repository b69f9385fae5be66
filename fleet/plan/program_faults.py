"""Whether the program's files are in the project on the master."""

from __future__ import annotations

from collections.abc import Iterator

from agent.wire.message import message
from fleet.inventory import Fault, Inventory


def program_faults(inventory: Inventory) -> Iterator[Fault]:
    """Yield what is wrong with the script and the working folder of the run."""
    script, workdir = inventory.run.script, inventory.run.workdir
    if script is not None and script.endswith(".ipynb"):
        yield Fault(
            message("up.notebook", "{script} is a notebook, which ranks cannot run", script=script),
            message(
                "up.notebook.remedy",
                "convert it (`jupyter nbconvert --to script {script}`) and write "
                "`run: {{script: {target}}}` in nodes.yaml",
                script=script,
                target=script.removesuffix(".ipynb") + ".py",
            ),
        )
    elif script is not None and not (inventory.project / script).is_file():
        yield Fault(
            message(
                "up.no-script",
                "the project {folder} has no file {script}",
                folder=str(inventory.project),
                script=script,
            ),
            message(
                "up.no-script.remedy",
                "name a file of the project as `run: {{script: ...}}` in nodes.yaml, or with --script",
            ),
        )
    if workdir and not (inventory.project / workdir).is_dir():
        yield Fault(
            message(
                "up.no-workdir",
                "the project {folder} has no folder {workdir}, the program's working folder",
                folder=str(inventory.project),
                workdir=workdir,
            ),
            message(
                "up.no-workdir.remedy",
                "name a folder of the project as `run: {{workdir: ...}}` in nodes.yaml, or with --workdir",
            ),
        )
