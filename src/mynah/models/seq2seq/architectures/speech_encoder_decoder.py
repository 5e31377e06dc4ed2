"""transformers' SpeechEncoderDecoder: any speech encoder before any decoder."""

from __future__ import annotations

from mynah.models.seq2seq.architecture import Architecture, processor_of_parts

ARCHITECTURE = Architecture(processor=processor_of_parts)
