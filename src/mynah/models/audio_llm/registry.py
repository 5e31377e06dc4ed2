"""Which audio LLMs there are: Mynah's own, plug-ins', and those that are refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.config.plugins.registry import Registry

if TYPE_CHECKING:
    from mynah.models.audio_llm.architecture import Architecture
    from mynah.models.audio_llm.processor import Processor

_GROUP = "mynah.audio_llms"
_HERE = "mynah.models.audio_llm.architectures"


def _wrong(found: object) -> str | None:
    from mynah.models.audio_llm.architecture import Architecture

    if isinstance(found, Architecture):
        return None
    wanted = f"{Architecture.__module__}.{Architecture.__name__}"
    return f"is a {type(found).__name__}, and not a {wanted}."


# By model_type, as config.json has it; one record may have several.
ARCHITECTURES: Registry[Architecture[Processor]] = Registry(
    "audio LLM",
    _GROUP,
    {
        kind: f"{_HERE}.{module}:ARCHITECTURE"
        for kind, module in {
            "qwen3_asr": "qwen3_asr",
            "granite_speech": "granite_speech",
            "granite_speech_plus": "granite_speech",
            "voxtral": "voxtral",
            "glmasr": "glmasr",
            "fun_asr_nano": "fun_asr_nano",
            "qwen2_audio": "qwen2_audio",
            "audioflamingo3": "audioflamingo3",
            "vibevoice_asr": "vibevoice_asr",
            "moss_transcribe_diarize": "moss_transcribe_diarize",
            "phi4_multimodal": "phi4_multimodal",
            "qwen2_5_omni": "qwen2_5_omni",
            "qwen2_5_omni_thinker": "qwen2_5_omni",
        }.items()
    },
    _wrong,
)

# What else transformers lists that takes audio and writes text, and why it is not trained here.
UNSUPPORTED_AUDIO_LLMS = {
    "voxtral_realtime": "it transcribes a stream, and its text is delayed",
    "kyutai_speech_to_text": "it transcribes a stream of codes, and its text is delayed",
    "musicflamingo": "it describes music",
    "nemo_speechlm": "its speakers and times come from further encoders, which transcripts do "
    "not teach",
    "gemma3n": "its image encoder is timm's, which is not installed with transformers",
    "gemma4": "it takes images and videos beside audio",
    "gemma4_unified": "it takes images and videos beside audio",
    "qwen3_omni_moe": "it synthesizes its answers too, with a second language model",
}
