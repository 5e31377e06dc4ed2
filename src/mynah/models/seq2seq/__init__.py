"""Encoder-decoder recognizers, as Whisper."""
