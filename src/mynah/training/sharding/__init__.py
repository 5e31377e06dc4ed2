"""Weights, gradients and an optimizer's state of which each rank holds a part."""
