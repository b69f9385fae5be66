"""What the console asks of a fleet, and the real one."""
