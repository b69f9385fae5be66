"""Evaluation: the score of plans, baselines, held-out loss, and sampling from a trained network."""
