"""Loopback nodes that speak real SSH and real WinRM, for ``dtui demo`` and for tests."""
