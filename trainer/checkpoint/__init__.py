"""Checkpoints: their files, which one a run resumes from, and saving and restoring a run's state."""
