"""Deploy: copy the project's differences to every node, bring environments up to date, write configs."""

from __future__ import annotations

from fleet.deploy.deploy import deploy
from fleet.deploy.options import DeployOptions

__all__ = ["DeployOptions", "deploy"]
