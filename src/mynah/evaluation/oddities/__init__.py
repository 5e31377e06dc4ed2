"""Hypotheses that are wrong in kind, whatever their error rate."""
