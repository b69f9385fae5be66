"""The run controller: one process for each project that keeps its runs, with or without a console.

Consoles and commands launch runs, and hand them over. The controller then watches the nodes, ends the other
ranks when one fails, enforces time limits, restarts and records, until the last run has ended. It never asks
the user: it logs in with keys, the ssh agent, the keyring, and the passwords that it was given in memory.
"""
