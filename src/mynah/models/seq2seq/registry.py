"""Which sequence-to-sequence recognizers there are, and those that are refused with a reason."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mynah.models.seq2seq.architecture import Seq2SeqArchitecture

_HERE = "mynah.models.seq2seq.architectures"
# The file of each record by model_type, as config.json has it; one record may have several.
SUPPORTED = {
    "whisper": "whisper",
    "moonshine": "moonshine",
    "moonshine_streaming": "moonshine_streaming",
    "canary": "canary",
    "cohere_asr": "cohere_asr",
    "speech_to_text": "speech_to_text",
    "speech-encoder-decoder": "speech_encoder_decoder",
}
# What else AutoModelForSpeechSeq2Seq lists, and what it is.
UNSUPPORTED = {
    "dia": "it synthesizes speech",
    "pop2piano": "it writes piano notes for music",
    "vibevoice": "it synthesizes speech",
    "seamless_m4t": "it translates speech, in languages named by three letters",
    "seamless_m4t_v2": "it translates speech, in languages named by three letters",
    "speecht5": "it comes from synthesis, with an encoder like no other and one checkpoint",
    "kyutai_speech_to_text": "it transcribes a stream of codes, and its text is delayed",
    "voxtral_realtime": "it transcribes a stream, and its text is delayed",
}


def architecture_of(kind: str) -> Seq2SeqArchitecture:
    """The record of a model type; of code that comes with weights, the one without specifics."""
    if kind not in SUPPORTED:
        from mynah.models.seq2seq.architecture import Seq2SeqArchitecture

        return Seq2SeqArchitecture()
    found: Seq2SeqArchitecture = importlib.import_module(f"{_HERE}.{SUPPORTED[kind]}").ARCHITECTURE
    return found
