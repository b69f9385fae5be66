"""What preflight measures on a node in addition to its facts: ports, services of other nodes, routes."""
