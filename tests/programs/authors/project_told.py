"""Says what a rank finds around it: its place, its arguments, its project's files."""

import importlib
import json
import os
import sys
from pathlib import Path

result = {
    "world": int(os.environ["WORLD_SIZE"]),
    "local": int(os.environ["LOCAL_RANK"]),
    "argv": sys.argv[1:],
    "cwd": os.getcwd(),
    "data": os.environ.get("DTUI_DATA"),
    "files": sorted(path.as_posix() for path in Path().rglob("*") if ".dtui" not in path.parts),
    "imported": {},
}
for name in sys.argv[1].split(","):
    if name:
        module = importlib.import_module(name)
        result["imported"][name] = {"from": module.__file__, "version": getattr(module, "VERSION", None)}
if result["data"]:
    result["sizes"] = {
        path.name: path.stat().st_size for path in Path(result["data"]).iterdir() if path.is_file()
    }
Path(f"result-{os.environ['RANK']}.json").write_text(json.dumps(result), "utf-8")
