"""Passwords and the values of a run's secrets: from the system's keyring or the user."""
