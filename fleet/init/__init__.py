"""The first files of a project: the known workers, and an inventory of them."""

from fleet.init.candidates import Candidate, find_candidates
from fleet.init.project import Beginning, begin, likely_program

__all__ = ["Beginning", "Candidate", "begin", "find_candidates", "likely_program"]
