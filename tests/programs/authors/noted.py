"""``noted.py MODULE ARGS...``: note what this process was given, then be that module."""

import json
import os
import runpy
import sys
from pathlib import Path

told = {"env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}
Path(f"told-{os.environ['RANK']}.json").write_text(json.dumps(told))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
