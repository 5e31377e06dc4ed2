"""Metrics: one file each, beside the contract that they keep (``metric.py``)."""
