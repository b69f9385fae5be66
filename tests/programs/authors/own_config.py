"""Has a configuration of its own rules at the path that dtui's trainer uses, and prints very long lines."""

import json
import os
import sys
from pathlib import Path

import yaml

config = yaml.safe_load(Path(sys.argv[sys.argv.index("--config") + 1]).read_text("utf-8"))
result = {"config": config, "precision": os.environ.get("ACCELERATE_MIXED_PRECISION")}
Path(f"result-{os.environ['RANK']}.json").write_text(json.dumps(result), "utf-8")
if os.environ["RANK"] == "0":
    print("도면" * 50_000, flush=True)
