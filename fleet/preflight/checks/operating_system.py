"""The operating system of a node."""

from __future__ import annotations

import re
from typing import Final

from agent.wire.message import Message, message
from fleet.preflight.check import Check, Subject, Verdict, fail, ok
from fleet.preflight.observations import FACTS

#: Windows 10 1809: OpenSSH server and conhost as dtui needs them.
_OLDEST_BUILD = 17763


def system(subject: Subject) -> Verdict:
    """Evaluate the operating system."""
    facts = subject[FACTS]
    os_facts = facts["os"]
    build = os_facts["build"]
    named = " ".join(text for text in (os_facts["name"], os_facts["version"]) if text)
    seen = Message(named or os_facts["system"]) or message("preflight.os-unknown", "unknown system")
    if build:
        seen = message("preflight.os-build", "{system}, build {build}", system=seen, build=build)
    if facts["python"]["bits"] == 32:
        return fail(
            message("preflight.os-32-bit", "{system}, with 32-bit Python", system=seen),
            message("preflight.os-32-bit.remedy", "install 64-bit Python on {node}", node=subject.node.name),
        )
    if subject.on_windows:
        number = re.match(r"\d+\.\d+\.(\d{1,9})", build or "")
        if number and int(number.group(1)) < _OLDEST_BUILD:
            return fail(
                message("preflight.os-old", "{system}: too old", system=seen),
                message(
                    "preflight.os-old.remedy",
                    "install Windows 10 1809 (build 17763) or newer on {node}",
                    node=subject.node.name,
                ),
            )
    return ok(seen)


CHECKS: Final = (
    Check("os", message("check.os", "operating system"), "machine",
          message("check.os.why", "remote operation needs a recent build"),
          (FACTS,), system),
)  # fmt: skip
