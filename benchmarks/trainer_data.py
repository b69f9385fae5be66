"""Tell2Design's archives as the trainer's data folder, for the trainer's benchmarks."""

from __future__ import annotations

import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_THREADS = 8


def unpack(archives: list[Path], folder: Path, limit: int = 0) -> Path:
    """Unpack the pairs of archives (``data/<split>/...``) into ``folder``; return its ``data``.

    ``limit`` is the number of pairs taken from each archive. Existing files stay.
    """
    begun = time.monotonic()
    for archive in archives:
        done = folder / f".{archive.name}.{limit}.done"
        if done.exists():
            continue
        with zipfile.ZipFile(archive) as opened:
            names = [n for n in opened.namelist() if "/input_text/" in n or "/label_floorplan/" in n]
        stems = sorted({Path(name).stem for name in names})
        chosen = set(stems[:limit] if limit else stems)
        names = [name for name in names if Path(name).stem in chosen and not name.endswith("/")]
        for parent in {(folder / name).parent for name in names}:
            parent.mkdir(parents=True, exist_ok=True)
        # One reader per thread: a ZipFile's position is shared.
        parts = [(archive, names[at::_THREADS], folder) for at in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(_unpack_part, parts))
        done.touch()
    print(f"unpacked into {folder} in {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    return folder / "data"


def _unpack_part(part: tuple[Path, list[str], Path]) -> None:
    archive, names, folder = part
    with zipfile.ZipFile(archive) as opened:
        for name in names:
            (folder / name).write_bytes(opened.read(name))
