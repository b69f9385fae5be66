"""Pairs of text and floor plan, from files to batches."""
