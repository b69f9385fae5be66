"""Reports the state of this rank. The rank's interpreter loads the module as ``sitecustomize``.

A daemon thread samples the main thread's stack once per second and writes ``rank-<n>.json``. On request
(``stacks.request``, a file with a number) it writes the stacks of all threads and torch's flight recorder to
``stacks-<n>.json``. While the thread cannot run, because other code holds the GIL, faulthandler's own thread
writes the stacks to ``rank-<n>.stuck.txt``.

The module uses the standard library only. It is copied to the node's run folder, and any Python from 3.8 on
may load it. It must not break the program: an error in the observer ends only the observer.
"""

from __future__ import annotations

import atexit
import importlib.machinery
import importlib.util
import os
import sys
import threading
import time

MYPY = False
if MYPY:
    from types import FrameType
    from typing import List, Optional, TextIO, Tuple

    Frame = Tuple[str, int, str]

_TICK = 1.0
#: A report is written again after this many seconds, so that a reader can detect an observer that has ended.
_HEARTBEAT = 5.0
#: The observer re-arms faulthandler at every tick, so that it fires only when no tick comes.
_STUCK = 5.0
_MAX_FRAMES = 64
_MAX_STACKS = 256
_THREAD = "dtui-observer"
_MAX_TEXT = 300
_RECORDED = "2000"
#: Functions of torch in which a rank waits for the others to join.
_JOINING = ("init_process_group", "_create_c10d_store", "_verify_param_shape_across_processes")


class _Observer:
    def __init__(self, folder: str, rank: int) -> None:
        self._path = os.path.join(folder, "rank-%d.json" % rank)
        self._folder = folder
        self._rank = rank
        self._main = threading.main_thread().ident
        self._started = time.time()
        self._written = 0.0
        self._last: Optional[Tuple[str, List[Frame]]] = None
        self._since = self._started
        self._answered = ""
        self._stuck_file: Optional[TextIO] = None
        self._timer_is_ours = True

    def start(self) -> None:
        self._guard_timer()
        # Here already: the program may hold the GIL before the thread gets a turn.
        self._arm()
        self._report("interpreter", [])
        threading.Thread(target=self._run, name=_THREAD, daemon=True).start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._disable)
        atexit.register(self._finish)

    def _disable(self) -> None:
        # A forked child has no observer thread, and must not write the rank's report.
        self._path = ""

    def _run(self) -> None:
        try:
            while self._path:
                self._arm()
                self._sample_stack()
                self._answer()
                time.sleep(_TICK)
        except Exception:  # noqa: BLE001 -- the program must not see it
            self._path = ""

    def _sample_stack(self) -> None:
        frames = _frames_of(self._main)
        phase = self._phase(frames)
        changed = (phase, frames) != self._last
        if self._last is None or _place(phase, frames) != _place(*self._last):
            self._since = time.time()
        if changed or time.time() - self._written > _HEARTBEAT:
            self._report(phase, frames)

    def _phase(self, frames: List[Frame]) -> str:
        distributed = sys.modules.get("torch.distributed")
        if distributed is None or not hasattr(distributed, "is_initialized"):
            return "importing" if "torch" in sys.modules else "interpreter"
        if any(function in _JOINING for _, _, function in frames):
            return "joining"
        try:
            return "joined" if distributed.is_initialized() else "imported"
        except Exception:  # noqa: BLE001 -- it is being imported
            return "importing"

    def _report(self, phase: str, frames: List[Frame]) -> None:
        self._last = (phase, frames)
        self._written = time.time()
        report = {
            "version": 1,
            "pid": os.getpid(),
            "rank": self._rank,
            "started": self._started,
            "at": self._written,
            "since": self._since,
            "phase": phase,
            "frames": _as_json(frames),
            "collective": any("distributed_c10d" in file for file, _, _ in frames),
            "store": _store(),
        }
        self._write(self._path, report)

    def _write(self, path: str, value: object) -> None:
        import json  # in ranks only: launchers load this module, too

        if not self._path:
            return
        text = json.dumps(value)
        fresh = "%s.%d" % (path, os.getpid())
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        for attempt in range(20):
            try:
                os.replace(fresh, path)
                return
            except PermissionError:  # Windows: a reader has it open
                time.sleep(0.01 * (attempt + 1))

    def _answer(self) -> None:
        try:
            with open(os.path.join(self._folder, "stacks.request"), encoding="ascii") as file:
                wanted = file.read(40)
        except (OSError, ValueError):
            return
        if wanted != self._answered:
            self._answered = wanted
            self._save(wanted)

    def _save(self, number: str) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        stacks = [
            {
                "thread": names.get(ident, "?")[:_MAX_TEXT],
                "main": ident == self._main,
                "frames": _as_json(_frames_of(ident)),
            }
            for ident in list(sys._current_frames())
            if names.get(ident) != _THREAD
        ]
        answer = {
            "version": 1,
            "number": number,
            "at": time.time(),
            "rank": self._rank,
            "stacks": stacks[:_MAX_STACKS],
            "recorder": _recorder(),
        }
        self._write(os.path.join(self._folder, "stacks-%d.json" % self._rank), answer)

    def _finish(self) -> None:
        try:
            import faulthandler

            if self._timer_is_ours and self._stuck_file is not None:
                faulthandler.cancel_dump_traceback_later()
            if self._path and sys.modules.get("torch.distributed") is not None:
                self._save("exit")
        except Exception:  # noqa: BLE001, S110 -- the program must not see it
            pass

    def _guard_timer(self) -> None:
        """Leave the timer, of which there is one per process, to the program once the program arms it."""
        import faulthandler

        arm = faulthandler.dump_traceback_later

        def armed(
            timeout: float,
            repeat: bool = False,
            file: TextIO = sys.stderr,
            exit: bool = False,  # noqa: A002 -- as in faulthandler
        ) -> None:
            self._timer_is_ours = False
            arm(timeout, repeat=repeat, file=file, exit=exit)

        self._arm_timer = arm
        faulthandler.dump_traceback_later = armed  # type: ignore[assignment]

    def _arm(self) -> None:
        if not self._timer_is_ours:
            return
        if self._stuck_file is None:
            path = os.path.join(self._folder, "rank-%d.stuck.txt" % self._rank)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
            self._stuck_file = os.fdopen(os.open(path, flags, 0o600), "w")
        self._arm_timer(_STUCK, exit=False, file=self._stuck_file)


def _frames_of(ident: Optional[int]) -> List[Frame]:
    """Return a thread's frames (file, line, function), the innermost first."""
    frame: Optional[FrameType] = sys._current_frames().get(ident) if ident is not None else None
    found: List[Frame] = []
    while frame is not None and len(found) < _MAX_FRAMES:
        code = frame.f_code
        found.append((code.co_filename[-_MAX_TEXT:], frame.f_lineno, code.co_name[:_MAX_TEXT]))
        frame = frame.f_back
    return found


def _place(phase: str, frames: List[Frame]) -> Tuple[object, ...]:
    """Return where the thread is, without its innermost line: a loop that polls stays at one place."""
    innermost = [(file, function) for file, _, function in frames[:1]]
    return (phase, innermost, frames[1:])


def _as_json(frames: List[Frame]) -> List[object]:
    return [{"file": file, "line": line, "function": function} for file, line, function in frames]


def _store() -> Optional[str]:
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    return "%s:%s" % (host, port) if host and port else None


def _recorder() -> Optional[str]:
    """Return torch's flight recorder as JSON text, None where this torch has none."""
    library = sys.modules.get("torch._C._distributed_c10d")
    for name in ("_dump_nccl_trace_json", "_dump_fr_trace_json"):
        dump = getattr(library, name, None)
        if dump is not None:
            try:
                text = dump(True, False) if name == "_dump_nccl_trace_json" else dump(True)
            except TypeError:
                text = dump()
            except Exception:  # noqa: BLE001, S112 -- the other one may work
                continue
            text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
            if '"entries":[]' not in text.replace(" ", "") or name == "_dump_fr_trace_json":
                return text[: 1 << 20]
    return None


def _leave_path(folder: str) -> None:
    """Take our folder out of the path of this process and of its children."""
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    kept = [
        entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != folder
    ]
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        os.environ.pop("PYTHONPATH", None)


def _load_next() -> None:
    """Load the sitecustomize that this one hides, if there is one."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        return
    # importlib, which is loading this module under the same name, returns what is in sys.modules afterwards.
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _begin() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    rank = os.environ.get("RANK", "")
    if rank.isdigit():
        # A launcher has no rank: its children, the ranks, find this module on the path that it leaves alone.
        _leave_path(folder)
        try:
            os.environ.setdefault("TORCH_FR_BUFFER_SIZE", _RECORDED)
            _Observer(folder, int(rank)).start()
        except Exception:  # noqa: BLE001, S110 -- the program must not see it
            pass
    else:
        sys.path[:] = [entry for entry in sys.path if entry != folder]
    _load_next()


if __name__ == "sitecustomize":
    _begin()
