"""Processes and job objects on Windows, through kernel32 and ntdll."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import Dict, List, Optional, Tuple

from agent.processes.identity import Identity, Process, Usage

assert sys.platform == "win32"

from ctypes import wintypes  # noqa: E402

_QUERY_LIMITED = 0x1000
_TERMINATE = 0x1
_SYNCHRONIZE = 0x100000
_WAIT_TIMEOUT = 0x102
_SNAPSHOT_PROCESSES = 0x2
_EXTENDED_LIMITS = 9
_KILL_ON_JOB_CLOSE = 0x2000
#: What a process that we end leaves as its exit code.
_EXIT_CODE = 1


class _Entry(ctypes.Structure):
    _fields_ = [
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("name", wintypes.WCHAR * 260),
    ]


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION; only ``flags`` matters to us."""

    _fields_ = [
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", wintypes.DWORD),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("most_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority", wintypes.DWORD),
        ("scheduling", wintypes.DWORD),
        ("io", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    ]


def _library() -> ctypes.WinDLL:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle, dword = wintypes.HANDLE, wintypes.DWORD
    kernel.OpenProcess.argtypes, kernel.OpenProcess.restype = [dword, wintypes.BOOL, dword], handle
    kernel.CloseHandle.argtypes = [handle]
    kernel.GetProcessTimes.argtypes = [handle] + [ctypes.POINTER(wintypes.FILETIME)] * 4
    kernel.GetProcessIoCounters.argtypes = [handle, wintypes.LPVOID]
    kernel.WaitForSingleObject.argtypes, kernel.WaitForSingleObject.restype = [handle, dword], dword
    kernel.TerminateProcess.argtypes = [handle, wintypes.UINT]
    kernel.CreateToolhelp32Snapshot.argtypes = [dword, dword]
    kernel.CreateToolhelp32Snapshot.restype = handle
    kernel.Process32FirstW.argtypes = kernel.Process32NextW.argtypes = [handle, ctypes.POINTER(_Entry)]
    kernel.CreateJobObjectW.argtypes = [wintypes.LPVOID, wintypes.LPCWSTR]
    kernel.CreateJobObjectW.restype = handle
    kernel.SetInformationJobObject.argtypes = [handle, ctypes.c_int, wintypes.LPVOID, dword]
    kernel.AssignProcessToJobObject.argtypes = [handle, handle]
    kernel.TerminateJobObject.argtypes = [handle, wintypes.UINT]
    return kernel


_kernel = _library()


def start_time(pid: int) -> Optional[str]:
    """Return the creation time of a living process (100 ns since 1601), None when there is none."""
    handle = _kernel.OpenProcess(_QUERY_LIMITED | _SYNCHRONIZE, False, pid)
    if not handle:
        return None
    try:
        # A process that has ended can be opened as long as another process has a handle to it.
        if _kernel.WaitForSingleObject(handle, 0) != _WAIT_TIMEOUT:
            return None
        created, *rest = [wintypes.FILETIME() for _ in range(4)]
        if not _kernel.GetProcessTimes(handle, ctypes.byref(created), *map(ctypes.byref, rest)):
            return None
        return str((created.dwHighDateTime << 32) + created.dwLowDateTime)
    finally:
        _kernel.CloseHandle(handle)


def usage(pid: int) -> Optional[Usage]:
    """Return what a living process has used; None without access."""
    handle = _kernel.OpenProcess(_QUERY_LIMITED, False, pid)
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        if not _kernel.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return None
        # Operations read, write and other, then their bytes.
        counters = (ctypes.c_uint64 * 6)()
        _kernel.GetProcessIoCounters(handle, ctypes.byref(counters))
        spent = sum((time.dwHighDateTime << 32) + time.dwLowDateTime for time in times[2:])
        return Usage(spent / 1e7, counters[3] + counters[4])
    finally:
        _kernel.CloseHandle(handle)


def snapshot() -> List[Process]:
    """Return every living process that we may open."""
    rows = [(pid, parent, name, start_time(pid)) for pid, parent, name in _entries()]
    started: Dict[int, int] = {pid: int(when) for pid, _, _, when in rows if when}
    return [
        # Windows keeps a parent's pid after its end: a parent younger than its child is another process.
        Process(
            Identity(pid, when),
            parent if parent in started and started[parent] <= started[pid] else 0,
            0,
            name,
        )
        for pid, parent, name, when in rows
        if when
    ]


def _entries() -> List[Tuple[int, int, str]]:
    handle = _kernel.CreateToolhelp32Snapshot(_SNAPSHOT_PROCESSES, 0)
    entry = _Entry()
    entry.size = ctypes.sizeof(_Entry)
    found = []
    more = _kernel.Process32FirstW(handle, ctypes.byref(entry))
    while more:
        if entry.pid:
            found.append((entry.pid, entry.parent, entry.name))
        more = _kernel.Process32NextW(handle, ctypes.byref(entry))
    _kernel.CloseHandle(handle)
    return found


def end_one(identity: Identity, force: bool) -> None:
    """End the process. Windows cannot ask a process to end, so ``force`` makes no difference."""
    handle = _kernel.OpenProcess(_TERMINATE, False, identity.pid)
    if not handle:
        return
    # The open handle prevents that the pid is reused between the check and the termination.
    if start_time(identity.pid) == identity.start_time:
        _kernel.TerminateProcess(handle, _EXIT_CODE)
    _kernel.CloseHandle(handle)


def carries(pid: int, mark: str) -> bool:
    """Return False: Windows has no sessions of processes that outlive their leader, see Job."""
    return False


def marked(mark: str) -> List[Tuple[Process, Optional[str]]]:
    """Return nothing: Windows does not show the environment of other processes, and a job holds a run's."""
    return []


class Job:
    """A job object that ends its processes when it is closed, which the end of our process does."""

    def __init__(self) -> None:
        self._handle = _kernel.CreateJobObjectW(None, None)
        limits = _Limits()
        limits.flags = _KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        if not self._handle or not _kernel.SetInformationJobObject(
            self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), size
        ):
            raise ctypes.WinError(ctypes.get_last_error())

    def assign(self, process: subprocess.Popen[bytes]) -> None:
        """Assign a process, and what it starts, to the job; on an error end it and raise OSError."""
        if not _kernel.AssignProcessToJobObject(self._handle, int(process._handle)):  # type: ignore[attr-defined]
            error = ctypes.WinError(ctypes.get_last_error())
            process.kill()
            raise error

    def end(self) -> None:
        """End every process of the job."""
        _kernel.TerminateJobObject(self._handle, _EXIT_CODE)


def resume(process: subprocess.Popen[bytes]) -> None:
    """Let a process run that was created suspended."""
    # Popen has closed the first thread's handle, which ResumeThread would need.
    ntdll = ctypes.WinDLL("ntdll")
    ntdll.NtResumeProcess.argtypes = [wintypes.HANDLE]
    ntdll.NtResumeProcess(int(process._handle))  # type: ignore[attr-defined]
