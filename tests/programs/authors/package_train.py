"""A program of the standard library alone: its own package, relative data, worker processes, outputs."""

import argparse
import json
import multiprocessing
import os
import sys
from pathlib import Path

from pkg.words import count


def work(text: str) -> int:
    return count(text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    lines = Path("texts", "평면도 1.txt").read_text("utf-8").splitlines()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        counts = pool.map(work, lines)
    result = {
        "world": int(os.environ["WORLD_SIZE"]),
        "node": os.environ["DTUI_NODE"],
        "lr": options.lr,
        "names": options.names,
        "counts": counts,
        "cwd": os.getcwd(),
        "utf8": sys.flags.utf8_mode or sys.stdout.encoding.lower(),
    }
    Path("trained").mkdir(exist_ok=True)
    Path("trained", f"result-{os.environ['RANK']}.json").write_text(json.dumps(result), "utf-8")
    print("단어", sum(counts), flush=True)


if __name__ == "__main__":
    main()
