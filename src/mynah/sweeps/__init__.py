"""Sweeps: many runs of one grid, each in a process of its own, compared at the end."""
