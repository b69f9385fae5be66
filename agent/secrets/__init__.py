"""Delivery of secrets from the agent to the run's supervisor: memory to memory, through a local pipe."""

from __future__ import annotations

from agent.secrets.delivery import Delivery
from agent.secrets.fetch import fetch
from agent.secrets.reference import Reference, SecretsError, checked

__all__ = ["Delivery", "Reference", "SecretsError", "checked", "fetch"]
