"""From what was observed to verdicts: pure functions, one file a group of checks."""
