"""The network, its loss, its sampling and its optimizer."""
