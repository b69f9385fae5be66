"""``dtui worker-script``: the setup of a Windows worker as one file, which needs no clone of dtui there."""

from fleet.worker_script.public_key import KeyFault, fault, public_key
from fleet.worker_script.script import MARK, worker_script

__all__ = ["MARK", "KeyFault", "fault", "public_key", "worker_script"]
