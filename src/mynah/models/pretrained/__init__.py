"""Weights that exist already: found, checked, loaded."""
