"""Writes the recordings that the screens are tested with: ``python -m tests.console.record``.

Each is what a fleet would have told, with times counted from START.
"""

from __future__ import annotations

from pathlib import Path

from fleet.event_json import to_json
from tests.console.recorded_deploy import deploy_busy, deploy_error, deploy_plan
from tests.console.recorded_nodes import nodes_busy, nodes_error
from tests.console.recorded_preflight import preflight_busy, preflight_error
from tests.console.recorded_run import monitor_busy, monitor_error

FOLDER = Path(__file__).parent / "recordings"

RECORDINGS = {
    "nodes_busy": nodes_busy,
    "nodes_error": nodes_error,
    "preflight_busy": preflight_busy,
    "preflight_error": preflight_error,
    "deploy_busy": deploy_busy,
    "deploy_plan": deploy_plan,
    "deploy_error": deploy_error,
    "monitor_busy": monitor_busy,
    "monitor_error": monitor_error,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, events in RECORDINGS.items():
        text = "".join(to_json(event) + "\n" for event in events())
        (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
