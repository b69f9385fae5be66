"""Preflight measurements on a node besides its facts: ports, services of other nodes, routes."""
