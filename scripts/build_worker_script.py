"""The step of the build that puts the joined worker_setup.ps1 into the wheel, for `dtui worker-script`."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools.command.build_py import build_py

_SCRIPTS = Path(__file__).parent
_PACKAGE = Path("fleet") / "worker_script"


class BuildPy(build_py):
    """build_py that also writes the script. An editable installation reads the checkout instead."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            # By its path: the packages of dtui cannot be imported while they are built.
            joined = runpy.run_path(str(_SCRIPTS.parent / _PACKAGE / "join.py"))["joined"]
            self._target.write_text(joined(_SCRIPTS), "ascii", newline="\n")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(self._target)]

    @property
    def _target(self) -> Path:
        return Path(self.build_lib) / _PACKAGE / "worker_setup.ps1"
