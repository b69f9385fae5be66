"""Users and access lists on Windows, through advapi32: group names differ by language, SIDs don't."""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

assert sys.platform == "win32"

_TOKEN_QUERY, _TOKEN_USER = 0x8, 1
_SDDL_REVISION = 1
_FILE_OBJECT = 1
#: DACL_SECURITY_INFORMATION and PROTECTED_DACL_SECURITY_INFORMATION.
_PROTECTED_DACL = 0x4 | 0x80000000


def user_sid() -> str:
    """Return the SID of this process's user as text; raises OSError."""
    security = ctypes.WinDLL("advapi32", use_last_error=True)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    token = wintypes.HANDLE()
    security.OpenProcessToken.argtypes = [wintypes.HANDLE, wintypes.DWORD, ctypes.POINTER(wintypes.HANDLE)]
    if not security.OpenProcessToken(kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        size = wintypes.DWORD()
        security.GetTokenInformation(token, _TOKEN_USER, None, 0, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        if not security.GetTokenInformation(token, _TOKEN_USER, buffer, size, ctypes.byref(size)):
            raise ctypes.WinError(ctypes.get_last_error())
        # TOKEN_USER begins with a pointer to the SID.
        sid = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_void_p))[0]
        text = wintypes.LPWSTR()
        security.ConvertSidToStringSidW.argtypes = [ctypes.c_void_p, ctypes.POINTER(wintypes.LPWSTR)]
        if not security.ConvertSidToStringSidW(sid, ctypes.byref(text)):
            raise ctypes.WinError(ctypes.get_last_error())
        found = str(text.value)
        free(text)
        return found
    finally:
        kernel.CloseHandle(token)


def security_descriptor(text: str) -> ctypes.c_void_p:
    """Return the security descriptor of an SDDL text; the caller frees it. Raises OSError."""
    security = ctypes.WinDLL("advapi32", use_last_error=True)
    made = ctypes.c_void_p()
    if not security.ConvertStringSecurityDescriptorToSecurityDescriptorW(
        ctypes.c_wchar_p(text), _SDDL_REVISION, ctypes.byref(made), None
    ):
        raise ctypes.WinError(ctypes.get_last_error())
    return made


def free(pointer: object) -> None:
    """Free what one of these functions, or the system, has allocated with LocalAlloc."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.LocalFree(pointer)


def protect(path: str, descriptor: str) -> None:
    """Replace a folder's access list by that of an SDDL text, for all that is in it too; raises OSError."""
    security = ctypes.WinDLL("advapi32", use_last_error=True)
    made = security_descriptor(descriptor)
    try:
        present, defaulted, acl = wintypes.BOOL(), wintypes.BOOL(), ctypes.c_void_p()
        if not security.GetSecurityDescriptorDacl(
            made, ctypes.byref(present), ctypes.byref(acl), ctypes.byref(defaulted)
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        status = security.SetNamedSecurityInfoW(
            ctypes.c_wchar_p(path), _FILE_OBJECT, wintypes.DWORD(_PROTECTED_DACL), None, None, acl, None
        )
        if status:
            raise ctypes.WinError(status)
    finally:
        free(made)


def described(path: str) -> str:
    """Return the access list of a file or folder as SDDL; raises OSError."""
    security = ctypes.WinDLL("advapi32", use_last_error=True)
    made, text = ctypes.c_void_p(), wintypes.LPWSTR()
    status = security.GetNamedSecurityInfoW(
        ctypes.c_wchar_p(path), _FILE_OBJECT, wintypes.DWORD(0x4), None, None, None, None, ctypes.byref(made)
    )
    if status:
        raise ctypes.WinError(status)
    try:
        if not security.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            made, _SDDL_REVISION, wintypes.DWORD(0x4), ctypes.byref(text), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        found = str(text.value)
        free(text)
        return found
    finally:
        free(made)
