"""Mistakes of a command line and of configuration files, found before Hydra composes."""
