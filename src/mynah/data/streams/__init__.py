"""Training rows that are read as they come, from shards that are too many to prepare.

readers (parquet, arrow, tar, manifest, hub) -> rows -> windows -> batches (mynah.training)
"""
