"""Byte channels to a process on a node: local, ssh, winrm. The content is not interpreted.

Nothing is imported here, since asyncssh and pywinrm each cost about 0.3 s at start: see
:func:`transports.registry.open_transport`.
"""
