"""``python -m trainer --config configs/train_config.yaml``: train as one rank of a run."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

from trainer.distributed.rank_environment import configure_torch_environment, read_rank_environment
from trainer.error_hints import hint_for
from trainer.errors import TrainerError
from trainer.metrics_logger import MetricsLogger
from trainer.settings_file import load
from trainer.stop_request import StopRequest


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 finished or stopped, 1 failed, 2 invalid configuration or data."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/train_config.yaml"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="set an option; repeatable"
    )
    parser.add_argument(
        "--resume",
        default="auto",
        metavar="auto|none|PATH",
        help="auto (default) resumes from the newest checkpoint if it is of this experiment and unfinished",
    )
    options = parser.parse_args(arguments)
    try:
        # From dtui: this node's folder. An option of the command line stands over it.
        data = os.environ.get("DTUI_DATA")
        settings = load(options.config, [*([f"data.root={data}"] if data else []), *options.set])
        environment = read_rank_environment(os.environ, time.time())
    except TrainerError as error:
        print(error, file=sys.stderr)
        return error.status
    logger = MetricsLogger(Path(settings.paths.logs), environment.run, environment.rank)
    logger.enter_phase("starting", pid=os.getpid(), node=environment.node, world_size=environment.world_size)
    logger.info("Initializing distributed training...")
    stop = StopRequest(environment.stop_file)
    stop.install_signal_handlers()
    configure_torch_environment(environment)
    code, reason = 1, "failed"
    try:
        logger.enter_phase("importing")
        from trainer.train import TrainingRun

        logger.enter_phase("joining")
        run = TrainingRun(settings, environment, logger, options.resume)
        reason = run.train(stop)
        run.context.shut_down()
        logger.enter_phase("done")
        code = 0
    except TrainerError as error:
        code, reason = error.status, str(error)
        logger.info(f"Error: {error}")
    except BaseException as error:  # noqa: BLE001  (whatever it is, it belongs into the log and the metrics file)
        reason = f"{type(error).__name__}: {error}"
        logger.info(traceback.format_exc().rstrip())
        if hint := hint_for(error):
            logger.info(f"Error: {hint}")
        if isinstance(error, KeyboardInterrupt):
            code = 130
    finally:
        logger.close(code, reason)
    return code


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After a failure, collectives and data loader threads may block a normal exit, and the launcher waits
    # for it.
    if status:
        os._exit(status)
    raise SystemExit(status)
