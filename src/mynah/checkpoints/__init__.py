"""Checkpoints on disk: committed whole, found again."""
