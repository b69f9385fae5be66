"""What preflight looks at on a node beside its facts: ports, doors of other nodes, ways between nodes."""
