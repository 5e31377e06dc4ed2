"""Whisper in CTranslate2's layout, as faster-whisper uses it, read as a model of transformers."""
