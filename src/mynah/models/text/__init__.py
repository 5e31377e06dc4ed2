"""Transcripts as labels: tokenizers, spelling, long clips, losses over tokens."""
