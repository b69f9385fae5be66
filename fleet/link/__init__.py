"""From a byte channel to a node that answers requests: pack the agent, start it, exchange frames with it."""
