"""Observes ranks from inside: a small module in the rank's interpreter reports where the rank is.

``in_rank`` is the module that the rank's interpreter loads as ``sitecustomize``. ``install`` puts it in
place, and ``report`` reads what it writes.
"""
