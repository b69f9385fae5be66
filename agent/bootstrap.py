"""The second stage on a node: check Python, find or receive the agent's archive, run it.

The console starts ``python -I -c "import sys;exec(sys.stdin.buffer.readline())"`` and sends this
file as that one line, so nothing here may need a module of ours, and the first lines must be
understood by any Python 3. Answers are lines that begin with ``DTUI1``; everything printed before
the first one (a login banner, say) is skipped by the console.
"""

import sys

MYPY = False
if MYPY:
    from typing import Iterator, Optional, Tuple

    Found = Optional[Tuple[str, bytes]]
    from agent.archive import install  # its text precedes this one in what the console sends


def boot(digest: str, size: int) -> None:
    """Answer ``old``, ``have`` or ``need``; take the archive's ``size`` bytes if needed; run the agent."""
    if sys.version_info < (3, 9):
        say("old %d.%d.%d" % sys.version_info[:3])
        return
    found = cached(digest)
    if found is None:
        say("need")
        blob = sys.stdin.buffer.read(size)
        path = keep(blob, digest)
        if path is None:
            say("damaged")
            return
    else:
        path, blob = found
    say("have")
    install(blob, path)
    from agent.main import serve

    serve(path, digest)


def say(word: str) -> None:
    """Write one answer line; the leading line break ends any line that a shell printed before."""
    sys.stdout.buffer.write(("\nDTUI1 %s\n" % word).encode("ascii"))
    sys.stdout.buffer.flush()


def folders() -> "Iterator[str]":
    """Yield the folders to keep the archive in: the user's cache, else a private one under temp."""
    import os
    import tempfile

    home = os.path.expanduser("~")
    if os.name == "nt":
        yield os.path.join(os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "dtui")
    else:
        yield os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "dtui")
    yield os.path.join(tempfile.gettempdir(), "dtui-" + os.path.basename(home))


def private(folder: str) -> bool:
    """Return whether the folder is ours alone: code that we run must not be another user's to change.

    A cache that others may read, as earlier versions left it, is made private.
    """
    import os
    import stat

    if os.name == "nt":
        return True
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return False
    if status.st_mode & 0o077:
        for name in os.listdir(folder):
            if name.startswith("agent-"):
                os.chmod(os.path.join(folder, name), 0o600)
        os.chmod(folder, 0o700)
    return True


def cached(digest: str) -> "Found":
    """Return the path and the bytes of the archive with this SHA-256, or None."""
    import hashlib
    import os
    import stat

    for folder in folders():
        path = os.path.join(folder, "agent-" + digest + ".pyz")
        try:
            status = os.stat(path)
            # A program of this user may have put a FIFO there, which would block us, or gigabytes.
            if not stat.S_ISREG(status.st_mode) or status.st_size > 1 << 26 or not private(folder):
                continue
            with open(path, "rb") as file:
                blob = file.read()
            if hashlib.sha256(blob).hexdigest() == digest:
                os.utime(path)  # marks it as in use for `keep`
                return path, blob
        except OSError:
            continue
    return None


def keep(blob: bytes, digest: str) -> "Optional[str]":
    """Store the archive under its digest and return its path; None when it arrived damaged."""
    import hashlib
    import os
    import time

    if hashlib.sha256(blob).hexdigest() != digest:
        return None
    reasons = []
    for folder in folders():
        path = os.path.join(folder, "agent-" + digest + ".pyz")
        fresh = path + "." + str(os.getpid()) + "-" + os.urandom(4).hex()
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if not private(folder):
                reasons.append(folder + " can be changed by other users")
                continue
            handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(blob)
            os.replace(fresh, path)
        except OSError as error:
            reasons.append(str(error))
            continue
        for name in os.listdir(folder):
            old = os.path.join(folder, name)
            try:
                if name.startswith("agent-") and os.stat(old).st_mtime < time.time() - 60 * 86400:
                    os.remove(old)
            except OSError:
                pass  # in use, on Windows
        return path
    raise SystemExit("no folder to keep the agent in: " + "; ".join(reasons))
