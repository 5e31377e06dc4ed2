"""Runs on disk: a directory of their own, a record, a summary."""
