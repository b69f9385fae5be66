"""Where and as whom a node's transport logs in."""

from __future__ import annotations

from fleet.inventory import Node
from transports.base import Endpoint


def endpoint_of(node: Node) -> Endpoint:
    """Return the endpoint of a node, with its transport's options."""
    return Endpoint(
        host=node.address,
        port=node.port,
        user=node.user,
        identities=(node.identity,) if node.identity else (),
        options=node.options,
    )
