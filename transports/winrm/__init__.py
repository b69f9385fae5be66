"""Channels over WinRM (WS-Management), by pywinrm."""

from __future__ import annotations

from transports.winrm.line import Patience
from transports.winrm.quotas import NodeQuotas
from transports.winrm.transport import WinRMTransport

__all__ = ["NodeQuotas", "Patience", "WinRMTransport"]
