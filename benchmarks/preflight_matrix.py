"""The matrix of 64 nodes while results stream in: ``python -m benchmarks.preflight_matrix``.

The console's preflight screen in a pty of 160x50 cells takes 64 nodes' checks and pairs, one preflight after
the other, at a steady rate. A key is pressed every 200 ms, and the time until its effect is among the
terminal's bytes is measured, and for comparison on the same screen without results. CPU is that of the whole
process. Linux only.
"""

from __future__ import annotations

import argparse

from benchmarks.console import measure


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--rate", type=int, default=2000, help="events a second, all nodes together")
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    print(f"{'':14} {'CPU %':>6} {'p50 ms':>8} {'p95 ms':>8} {'events':>8} {'cells':>6}")
    for name, rate in ((f"{chosen.rate} events/s", chosen.rate), ("idle", 0)):
        row = measure("preflight", chosen.nodes, rate, chosen.seconds)
        figures = f"{row['cpu']:6.1f} {row['p50']:8.1f} {row['p95']:8.1f}"
        print(f"{name:14} {figures} {row['written']:8} {row['counted']:6}")


if __name__ == "__main__":
    main()
