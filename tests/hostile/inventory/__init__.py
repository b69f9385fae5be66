"""Hostile and broken inventories, configurations and names."""
