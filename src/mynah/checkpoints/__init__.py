"""Checkpoints on disk: committed, found again."""
