"""Hydra launcher ``mynah_process``: each job of a sweep in a process of its own."""
