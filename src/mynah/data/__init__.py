"""Corpora: where they come from, how they are prepared, batched and augmented.

Nothing is imported here: processes that speak or decode should start fast.
"""
