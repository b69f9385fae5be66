"""Windows nodes without Windows: Windows Python under Wine, behind real SSH and WinRM servers.

For tests on Linux only. `prepare` fills a cache folder once; `session` makes a machine of it.
"""
