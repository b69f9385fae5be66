"""The terminal: the command line and the Textual console. Textual is imported here and nowhere else."""
