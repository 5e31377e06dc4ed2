"""Optimizers of our own, and learning rates by part."""
