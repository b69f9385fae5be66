"""The first files of a project: the known workers, and an inventory of them."""

from fleet.init.candidates import Candidate, find_candidates
from fleet.init.detect import Detected, detect
from fleet.init.project import Beginning, begin

__all__ = ["Beginning", "Candidate", "Detected", "begin", "detect", "find_candidates"]
