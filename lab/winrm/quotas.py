"""The limits of a WinRM service, under the names that `winrm get winrm/config` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quotas:
    """Defaults are those that Microsoft documents; many releases report 2147483647, which means no limit."""

    max_envelope_kb: int = 500
    max_timeout_ms: int = 60_000
    idle_timeout_ms: int = 7_200_000
    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    max_memory_per_shell_mb: int = 1024
    allow_remote_shells: bool = True

    @property
    def envelope_bytes(self) -> int:
        """The largest request in bytes."""
        return self.max_envelope_kb * 1024

    def winrs(self) -> str:
        """What a Get of ``config/winrs`` answers, as XML."""
        return (
            f"<cfg:Winrs><cfg:AllowRemoteShellAccess>{str(self.allow_remote_shells).lower()}"
            "</cfg:AllowRemoteShellAccess>"
            f"<cfg:IdleTimeout>{self.idle_timeout_ms}</cfg:IdleTimeout>"
            "<cfg:MaxConcurrentUsers>2147483647</cfg:MaxConcurrentUsers>"
            "<cfg:MaxShellRunTime>2147483647</cfg:MaxShellRunTime>"
            f"<cfg:MaxProcessesPerShell>{self.max_processes_per_shell}</cfg:MaxProcessesPerShell>"
            f"<cfg:MaxMemoryPerShellMB>{self.max_memory_per_shell_mb}</cfg:MaxMemoryPerShellMB>"
            f"<cfg:MaxShellsPerUser>{self.max_shells_per_user}</cfg:MaxShellsPerUser></cfg:Winrs>"
        )

    def config(self) -> str:
        """What a Get of ``config`` answers, as XML."""
        return (
            f"<cfg:Config><cfg:MaxEnvelopeSizekb>{self.max_envelope_kb}</cfg:MaxEnvelopeSizekb>"
            f"<cfg:MaxTimeoutms>{self.max_timeout_ms}</cfg:MaxTimeoutms>"
            "<cfg:MaxBatchItems>32000</cfg:MaxBatchItems><cfg:Service>"
            "<cfg:AllowUnencrypted>false</cfg:AllowUnencrypted></cfg:Service>"
            f"{self.winrs()}</cfg:Config>"
        )
