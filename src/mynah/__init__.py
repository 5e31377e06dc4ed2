"""Mynah turns recordings and transcripts into a speech recognizer one can trust."""

__version__ = "0.1.0"
