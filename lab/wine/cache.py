"""The folder where prepared parts are kept between runs, safe for several processes at once."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def default_cache() -> Path:
    """The user's cache folder for the lab."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dtui-lab"


class Cache:
    """Parts are folders or files named for their version, complete once they exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def part(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the path of a part, and call ``make`` with a path next to it if there is none yet.

        Other processes that need the part wait; a part that failed leaves nothing.
        """
        path = self.folder / name
        if path.exists():
            return path
        with self._alone():
            if path.exists():
                return path
            new = self.folder / f"{name}.new"
            _remove(new)
            try:
                make(new)
            except BaseException:
                _remove(new)
                raise
            new.rename(path)
        return path

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        import fcntl  # not on Windows, which has no Wine either

        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
