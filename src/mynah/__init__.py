"""Mynah: from recordings and transcripts to a speech recognizer with an error rate one can trust."""

__version__ = "0.1.0"
