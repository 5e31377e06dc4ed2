"""A corpus format and a metric for Mynah."""
