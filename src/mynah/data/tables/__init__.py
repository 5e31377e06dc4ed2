"""Prepared rows on disk: Arrow tables, written once and memory-mapped."""
