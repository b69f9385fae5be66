"""Will a run start? Checks of every node, answered before it is started."""

from fleet.preflight.run import preflight

__all__ = ["preflight"]
