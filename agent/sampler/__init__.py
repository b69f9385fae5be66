"""How loaded a machine is. GPUs are asked in a process of their own, since a driver can hang."""
