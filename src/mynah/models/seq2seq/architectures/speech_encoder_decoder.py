"""transformers' SpeechEncoderDecoder: any speech encoder before any decoder."""

from __future__ import annotations

from mynah.models.seq2seq.architecture import Seq2SeqArchitecture, processor_of_parts

ARCHITECTURE = Seq2SeqArchitecture(processor=processor_of_parts)
