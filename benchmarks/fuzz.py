"""Fuzz everything that reads what another machine, program or user wrote.

    python -m benchmarks.fuzz --minutes 10 [--target wire.frames ...] [--seed 1]

Each target of tests/hostile/targets takes bytes and raises on a fault of dtui only. Inputs are mutations of
its seeds. An input that takes more than 5 s of CPU time is a fault, too. Prints one line per target with its
executions. A failing input is written to the folder
``fuzz-failures``, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import pkgutil
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.hostile import targets

#: Seconds of CPU time. An input of a few KB that takes longer shows that the work does not grow linearly.
_TOO_SLOW = 5.0

Target = Callable[[bytes], None]

_BLOCKS = (
    b"\0", b"\xff" * 4, b"\x1b]52;c;eA==\x07", b"\xed\xa0\x80", b"[" * 500, b'{"a":' * 100, b"9" * 5000,
    b"NaN", b"1e999", b"-0", b"\xe2\x80\xae", b"null", b"true", b'""', b"&a [*a]", b"<!DOCTYPE x>",
    b"\x1f\x8b\x08",
)  # fmt: skip


def found_targets() -> dict[str, tuple[Target, Sequence[bytes]]]:
    """Return the targets by name, ``module.target``, with their seeds."""
    found: dict[str, tuple[Target, Sequence[bytes]]] = {}
    for module_info in pkgutil.iter_modules(targets.__path__):
        module = importlib.import_module(f"{targets.__name__}.{module_info.name}")
        listed = getattr(module, "TARGETS", None) or {"run": module.run}
        by_name = listed if isinstance(listed, dict) else {one.__name__: one for one in listed}
        seeds = tuple(_flat(getattr(module, "SEEDS", ()))) or (b"{}",)
        for name, target in by_name.items():
            found[f"{module_info.name}.{name}"] = (target, seeds)
    return found


def _flat(seeds: Iterable[object]) -> Iterable[bytes]:
    for seed in seeds.values() if isinstance(seeds, dict) else seeds:
        if isinstance(seed, bytes):
            yield seed
        elif isinstance(seed, tuple | list):
            yield from _flat(seed)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed with a few random changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(6)
        if how == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at:at] = rng.choice(_BLOCKS)
        elif how == 2:
            del data[at : at + rng.randrange(1, 9)]
        elif how == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif how == 4:
            other = rng.choice(seeds)
            begin = rng.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + 64]
        elif data:
            length = rng.randrange(1, 33)
            data[at:at] = data[at : at + length] * rng.randrange(1, 20)
    return bytes(data[: 1 << 16])


def run(
    name: str, target: Target, seeds: Sequence[bytes], seconds: float, seed: int
) -> tuple[int, float, bytes]:
    """Run one target; return executions, the slowest one's seconds, and the failing input (empty: none)."""
    rng = random.Random(f"{name} {seed}")
    end = time.monotonic() + seconds
    count, slowest = 0, 0.0
    while time.monotonic() < end:
        data = seeds[count] if count < len(seeds) else mutated(rng, seeds)
        begun = time.process_time()
        try:
            target(data)
        except BaseException:  # noqa: BLE001 -- the input is kept for any exception
            traceback.print_exc()
            return count, slowest, data or b"\n"
        count += 1
        slowest = max(slowest, time.process_time() - begun)
        if slowest > _TOO_SLOW:
            return count, slowest, data or b"\n"
    return count, slowest, b""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--target", action="append", default=[], help="only these (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    chosen = {
        name: found for name, found in found_targets().items() if not args.target or name in args.target
    }
    failures = 0
    for name, (target, seeds) in chosen.items():
        count, slowest, failing = run(name, target, seeds, 60 * args.minutes / len(chosen), args.seed)
        print(f"{name:30} {count:>9} executions, slowest {1000 * slowest:.0f} ms", flush=True)
        if failing:
            failures += 1
            folder = Path("fuzz-failures")
            folder.mkdir(exist_ok=True)
            path = folder / f"{name}-{hashlib.sha256(failing).hexdigest()[:12]}"
            path.write_bytes(failing)
            print(f"{name}: failed, the input is in {path}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
