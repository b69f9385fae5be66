"""Secrets: names that suggest one, text with every secret masked, and values that never show themselves."""

from __future__ import annotations

from fleet.secrets.masking import MASK, masked, masked_arguments, masked_text
from fleet.secrets.names import is_secret_name
from fleet.secrets.value import Secret

__all__ = ["MASK", "Secret", "is_secret_name", "masked", "masked_arguments", "masked_text"]
