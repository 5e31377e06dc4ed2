"""One file an architecture: its record, and what only it needs."""
