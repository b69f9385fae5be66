"""The variables of the system and of this user on Windows, as a fresh login gets them."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Dict, Optional, Tuple

from agent.wire.message import Message, message

assert sys.platform == "win32"

from ctypes import wintypes  # noqa: E402

_TOKEN_QUERY = 0x0008
_TOKEN_DUPLICATE = 0x0002
#: Set by the login itself, from the user's profile and not from the registry.
_IDENTITY = (
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "USERNAME",
    "USERDOMAIN",
    "COMPUTERNAME",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
)


def user_variables() -> Tuple[Dict[str, str], Optional[Message]]:
    """Return the variables, and why they are this process's own where Windows does not give them."""
    current = {name.upper(): value for name, value in os.environ.items()}
    identity = {name: current[name] for name in _IDENTITY if name in current}
    try:
        block = _block()
    except OSError as error:
        what = message(
            "login.windows",
            "Windows does not give the variables of this user ({error}), so ranks start with those of dtui's "
            "login",
            error=error.strerror or str(error),
        )
        return dict(current), what
    # Names are the same in any case; the block's own spelling (Path) would be a second PATH.
    return {**{name.upper(): value for name, value in block.items()}, **identity}, None


def _block() -> Dict[str, str]:
    """Return CreateEnvironmentBlock's variables; raises OSError."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    advapi = ctypes.WinDLL("advapi32", use_last_error=True)
    userenv = ctypes.WinDLL("userenv", use_last_error=True)
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    token = wintypes.HANDLE()
    opened = advapi.OpenProcessToken(
        wintypes.HANDLE(kernel.GetCurrentProcess()), _TOKEN_QUERY | _TOKEN_DUPLICATE, ctypes.byref(token)
    )
    if not opened:
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        block = ctypes.c_void_p()
        if not userenv.CreateEnvironmentBlock(ctypes.byref(block), token, False):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            return _parsed(block)
        finally:
            userenv.DestroyEnvironmentBlock(block)
    finally:
        kernel.CloseHandle(token)


def _parsed(block: ctypes.c_void_p) -> Dict[str, str]:
    """Return the variables of a block of ``NAME=VALUE`` texts that an empty text ends."""
    found: Dict[str, str] = {}
    address = block.value or 0
    while address:
        text = ctypes.wstring_at(address)
        if not text:
            break
        address += (len(text) + 1) * ctypes.sizeof(ctypes.c_wchar)
        # The current folders of drives have names that begin with "=".
        name, equals, value = text[1:].partition("=")
        if equals and text[0] != "=":
            found[text[0] + name] = value
    return found
