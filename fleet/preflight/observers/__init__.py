"""Observers: each file makes one kind of observation. Nothing is evaluated here."""
