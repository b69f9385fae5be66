"""The console's operations on a fleet: the protocol and its implementation."""
