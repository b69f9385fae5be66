"""``python -m trainer --config configs/train_config.yaml``: train on this process's rank."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

from trainer.errors import TrainerError
from trainer.hints import hint
from trainer.journal import Journal
from trainer.place import place_from, prepare_environment
from trainer.settings_file import load
from trainer.stop import StopRequest


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done or stopped, 1 failed, 2 options or data wrong."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/train_config.yaml"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change an option; repeatable"
    )
    parser.add_argument(
        "--resume",
        default="auto",
        metavar="auto|none|PATH",
        help="auto (default) goes on from the newest checkpoint when it is of this experiment and unfinished",
    )
    chosen = parser.parse_args(arguments)
    try:
        settings = load(chosen.config, chosen.set)
        place = place_from(os.environ, time.time())
    except TrainerError as error:
        print(error, file=sys.stderr)
        return error.status
    journal = Journal(Path(settings.paths.logs), place.run, place.rank)
    journal.phase("starting", pid=os.getpid(), node=place.node, world_size=place.world_size)
    journal.say("Initializing distributed training...")
    stop = StopRequest(place.stop_file)
    stop.listen()
    prepare_environment(place)
    code, reason = 1, "failed"
    try:
        journal.phase("importing")
        from trainer.train import Run

        journal.phase("joining")
        run = Run(settings, place, journal, chosen.resume)
        reason = run.train(stop)
        run.world.leave()
        journal.phase("done")
        code = 0
    except TrainerError as error:
        code, reason = error.status, str(error)
        journal.say(f"Error: {error}")
    except BaseException as error:  # noqa: BLE001  (whatever it was, the log and the records tell it)
        reason = f"{type(error).__name__}: {error}"
        journal.say(traceback.format_exc().rstrip())
        if advice := hint(error):
            journal.say(f"Error: {advice}")
        if isinstance(error, KeyboardInterrupt):
            code = 130
    finally:
        journal.close(code, reason)
    return code


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After a failure, peers and loader threads must not keep this process: a launcher waits for its end.
    if status:
        os._exit(status)
    raise SystemExit(status)
