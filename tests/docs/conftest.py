"""The fixtures of the command line's tests: a project folder, and loopback nodes."""

from __future__ import annotations

from tests.cli.conftest import nodes, project

__all__ = ["nodes", "project"]
