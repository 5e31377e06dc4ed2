"""Averages of weights: over the steps of a training, and over its checkpoints."""
