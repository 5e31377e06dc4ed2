"""Transcripts as labels: tokenizers, labels in one letter case, long clips, losses over tokens."""
