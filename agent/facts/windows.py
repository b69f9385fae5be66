"""Facts of a Windows machine, through the system's own libraries; no program is started."""

from __future__ import annotations

import ctypes
import importlib
import os
import struct
from typing import Any, List, Optional, Tuple

from agent.wire.facts import LoginShellFacts, PagingFacts, RamFacts

_WINDOWS_11 = 22000
_CURRENT_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_PROCESSOR = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
_FILE_SYSTEM = r"SYSTEM\CurrentControlSet\Control\FileSystem"
_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\PowerShell"
_SHELL = r"SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"
_OPENSSH = r"SOFTWARE\OpenSSH"
_COMMAND_PROCESSOR = r"SOFTWARE\Microsoft\Command Processor"
_PCI = r"SYSTEM\CurrentControlSet\Enum\PCI"


class _VersionInfo(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("build", ctypes.c_uint32),
        ("platform", ctypes.c_uint32),
        ("service_pack", ctypes.c_wchar * 128),
    ]


class _MemoryStatus(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("commit_limit", ctypes.c_uint64),
        ("commit_free", ctypes.c_uint64),
        ("address_total", ctypes.c_uint64),
        ("address_free", ctypes.c_uint64),
        ("extended", ctypes.c_uint64),
    ]


def library(name: str) -> Any:
    """Return a system library."""
    loader: Any = ctypes  # type checkers on other systems find no WinDLL in it
    return loader.WinDLL(name)


def registry(root: str, path: str, name: str) -> object:
    """Return a value of ``HKLM`` or ``HKCU`` (64-bit view), None when it isn't there."""
    winreg: Any = importlib.import_module("winreg")
    top = winreg.HKEY_LOCAL_MACHINE if root == "HKLM" else winreg.HKEY_CURRENT_USER
    try:
        with winreg.OpenKey(top, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as key:
            value: object = winreg.QueryValueEx(key, name)[0]
            return value
    except OSError:
        return None


def registry_text(root: str, path: str, name: str) -> Optional[str]:
    """Return a registry value that is text, None for anything else."""
    value = registry(root, path, name)
    return value if isinstance(value, str) else None


def system() -> Tuple[Optional[str], Optional[str], Optional[str]]:
    """Return edition, release (``23H2``) and build with its update, from the kernel and the registry."""
    version = _VersionInfo(size=ctypes.sizeof(_VersionInfo))
    if library("ntdll").RtlGetVersion(ctypes.byref(version)) != 0:
        return None, None, None
    update = registry("HKLM", _CURRENT_VERSION, "UBR")
    return (
        product_name(registry_text("HKLM", _CURRENT_VERSION, "ProductName"), version.build),
        registry_text("HKLM", _CURRENT_VERSION, "DisplayVersion")
        or registry_text("HKLM", _CURRENT_VERSION, "ReleaseId"),
        "%d.%d.%d" % (version.major, version.minor, version.build)
        + (".%d" % update if isinstance(update, int) else ""),
    )


def product_name(name: Optional[str], build: int) -> Optional[str]:
    """Return the edition's name; the registry of Windows 11 still has Windows 10."""
    if name and build >= _WINDOWS_11:
        return name.replace("Windows 10", "Windows 11")
    return name


def codepages() -> Tuple[int, int]:
    """Return the ANSI and the OEM code page, e.g. 949 and 949 on a Korean Windows."""
    kernel = library("kernel32")
    return kernel.GetACP(), kernel.GetOEMCP()


def locale_name() -> Optional[str]:
    """Return the user's locale, e.g. ``ko-KR``."""
    buffer = ctypes.create_unicode_buffer(85)
    return buffer.value if library("kernel32").GetUserDefaultLocaleName(buffer, 85) else None


def cpu() -> Tuple[Optional[str], Optional[int], Optional[int]]:
    """Return model, physical cores and threads."""
    name = registry_text("HKLM", _PROCESSOR, "ProcessorNameString")
    model = " ".join(name.split()) if name else None
    return model, count_records(_core_records()) or None, os.cpu_count()


def _core_records() -> bytes:
    call = library("kernel32").GetLogicalProcessorInformationEx
    length = ctypes.c_uint32(0)
    call(0, None, ctypes.byref(length))
    buffer = ctypes.create_string_buffer(length.value or 1)
    return buffer.raw[: length.value] if call(0, buffer, ctypes.byref(length)) else b""


def count_records(data: bytes) -> int:
    """Count the SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX records: one for each physical core."""
    count = at = 0
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        if size < 8:
            break
        count, at = count + 1, at + size
    return count


def memory() -> Tuple[RamFacts, PagingFacts]:
    """Return RAM and paging in bytes; the commit charge is what error 1455 is about."""
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not library("kernel32").GlobalMemoryStatusEx(ctypes.byref(status)):
        return (
            {"total": None, "free": None, "limit": None},
            {"total": None, "free": None, "commit_limit": None, "commit_free": None},
        )
    file = max(status.commit_limit - status.total, 0)
    return (
        {"total": status.total, "free": status.free, "limit": None},
        {
            "total": file,
            "free": max(min(status.commit_free - status.free, file), 0),
            "commit_limit": status.commit_limit,
            "commit_free": status.commit_free,
        },
    )


def long_paths() -> bool:
    """Return whether paths over 260 characters are allowed."""
    return bool(registry("HKLM", _FILE_SYSTEM, "LongPathsEnabled") == 1)


def execution_policy() -> str:
    """Return PowerShell's policy in force, the four registry places in their order of precedence."""
    for root, path in (("HKLM", _POLICY), ("HKCU", _POLICY), ("HKCU", _SHELL), ("HKLM", _SHELL)):
        found = registry(root, path, "ExecutionPolicy")
        if isinstance(found, str):
            return found
    server = registry("HKLM", _CURRENT_VERSION, "InstallationType") == "Server"
    return "RemoteSigned" if server else "Restricted"


def login_shell() -> LoginShellFacts:
    """Return the shell of the SSH server, and the commands that each cmd.exe runs first."""
    autorun = [registry_text(root, _COMMAND_PROCESSOR, "AutoRun") for root in ("HKLM", "HKCU")]
    return {
        "default_shell": registry_text("HKLM", _OPENSSH, "DefaultShell") or None,
        "autorun": [command for command in autorun if command and command.strip()],
    }


def elevated() -> bool:
    """Return whether this process has an administrator's token."""
    return bool(library("shell32").IsUserAnAdmin())


def display_vendors() -> List[str]:
    """Return the PCI vendors of display devices (``10de`` NVIDIA, ``1002`` AMD), driver or not."""
    winreg: Any = importlib.import_module("winreg")
    found = set()
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _PCI) as pci:
            for number in range(winreg.QueryInfoKey(pci)[0]):
                device = winreg.EnumKey(pci, number)
                with winreg.OpenKey(pci, device) as instances:
                    first = winreg.EnumKey(instances, 0)
                kind = registry("HKLM", "\\".join((_PCI, device, first)), "ClassGUID")
                # Display adapters; 3D controllers without a driver have no class yet.
                if kind in (None, "{4d36e968-e325-11ce-bfc1-08002be10318}") and device.startswith("VEN_"):
                    found.add(device[4:8].lower())
    except OSError:
        pass
    return sorted(found & {"10de", "1002"})
