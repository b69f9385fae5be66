"""Checks, one file per subject: evaluators (pure functions from observations to verdicts), and ``CHECKS``."""
