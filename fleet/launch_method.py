"""How a run's processes are started on a node."""

from __future__ import annotations

from typing import Literal

#: ``ranks``: dtui starts one process per GPU itself; ``accelerate``: through ``accelerate launch``.
LaunchMethod = Literal["ranks", "accelerate"]
