"""A project's files on the node: compared, received, and put into place as a whole."""
