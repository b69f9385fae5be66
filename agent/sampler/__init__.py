"""The load of a machine. GPUs are read in a separate process, since a driver can hang."""
