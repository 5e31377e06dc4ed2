"""Layers of transformers, corrected or made faster."""
