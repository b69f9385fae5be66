"""The ranks of a run: rendezvous, checks, and the exchange of gradients."""
