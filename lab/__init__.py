"""Loopback nodes with real SSH and WinRM servers, for ``dtui demo`` and for tests."""
