"""Every architecture that is trained here, one line each, and what of it does not hold.

``test_matrix.py`` runs every check on every line. A check that is named in ``fails`` must
fail: so the table that ``table.py`` writes from these lines cannot say what is not so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Each check, and the head of its column.
CHECKS = {
    "train": "trains",
    "lora": "LoRA",
    "save": "saves and loads",
    "transcripts": "same transcript in any batch",
    "loss": "same loss in any batch",
    "length": "true length",
    "half": "fp16 and bf16 files",
}
# What an architecture must do to be counted among those that are supported.
SUPPORTED = ("train", "lora", "save")


@dataclass(frozen=True)
class Architecture:
    """One line of the table.

    Attributes:
        name: transformers' model type; of an encoder before a language model, the encoder's.
        family: The family that it is of.
        model: The class of the model that is trained.
        standins: Kinds of tests/standins.py: a recognizer, or an encoder and a language model.
        note: What sets it apart from another line of the same name.
        settings: Settings of ``model`` that it needs.
        sample_rate: Hertz that it hears.
        fails: Checks that do not hold, with the reason.
    """

    name: str
    family: str
    model: str
    standins: tuple[str, ...]
    note: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    sample_rate: int = 16000
    fails: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What the checks of this line are called by."""
        return "-".join([self.family, *self.standins, *self.note.split()])


# Why the loss of a clip hangs on the padding behind it. Clips are decoded padded alone.
GROUP_NORM = {
    "loss": "group norm in its first layer spans the padding too, and it was trained without a "
    "mask: it hears what is behind a shorter clip as silence"
}
CONVOLUTIONS = {
    "loss": "its convolutions over frames hear what its layers made of the padding behind a clip"
}
ENGLISH = {"language": "en"}


def _ctc(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "ctc", model, (standin,), **rest)


def _transducer(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "transducer", model, (standin,), **rest)


def _seq2seq(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "seq2seq", model, (standin,), **rest)


def _audio_llm(name: str, model: str, **rest: Any) -> Architecture:
    return Architecture(name, "audio_llm", model, (name,), **rest)


def _speech_llm(name: str, encoder: str, language_model: str, **rest: Any) -> Architecture:
    rest.setdefault("note", {"chat_lm": "chat LM", "base_lm": "base LM"}[language_model])
    return Architecture(name, "speech_llm", "SpeechLLM", (encoder, language_model), **rest)


ARCHITECTURES = (
    _ctc("wav2vec2", "Wav2Vec2ForCTC", "wav2vec2_ctc", note="group norm", fails=GROUP_NORM),
    _ctc("wav2vec2", "Wav2Vec2ForCTC", "wav2vec2_ctc_layer_norm", note="layer norm"),
    _ctc("wav2vec2-conformer", "Wav2Vec2ConformerForCTC", "conformer_ctc", fails=CONVOLUTIONS),
    _ctc(
        "wav2vec2-conformer",
        "Wav2Vec2ConformerForCTC",
        "conformer_rope_ctc",
        note="rotary",
        fails=CONVOLUTIONS,
    ),
    _ctc("wav2vec2-bert", "Wav2Vec2BertForCTC", "w2v_bert_ctc", fails=CONVOLUTIONS),
    _ctc("wav2vec2-bert", "Wav2Vec2BertForCTC", "w2v_bert", note="new head"),
    _ctc("hubert", "HubertForCTC", "hubert_ctc"),
    _ctc("wavlm", "WavLMForCTC", "wavlm_ctc"),
    _ctc("data2vec-audio", "Data2VecAudioForCTC", "data2vec_ctc", fails=CONVOLUTIONS),
    _ctc("unispeech", "UniSpeechForCTC", "unispeech_ctc"),
    _ctc("unispeech-sat", "UniSpeechSatForCTC", "unispeech_sat_ctc", fails=GROUP_NORM),
    _ctc("sew", "SEWForCTC", "sew_ctc", fails=GROUP_NORM),
    _ctc("sew-d", "SEWDForCTC", "sew_d_ctc"),
    _ctc("parakeet_ctc", "ParakeetForCTC", "parakeet_ctc"),
    _ctc("lasr_ctc", "LasrForCTC", "lasr_ctc"),
    _ctc("granite_speech5_ctc", "GraniteSpeech5ForCTC", "granite5_ctc"),
    _transducer("parakeet_rnnt", "ParakeetForRNNT", "parakeet_rnnt"),
    _transducer("parakeet_tdt", "ParakeetForTDT", "parakeet_tdt"),
    _transducer("nemotron_asr_streaming", "NemotronAsrStreamingForRNNT", "nemotron_streaming"),
    _transducer("nemotron3_5_asr", "Nemotron3_5AsrForRNNT", "nemotron_multilingual"),
    _seq2seq("whisper", "WhisperForConditionalGeneration", "whisper_asr", settings=ENGLISH),
    _seq2seq(
        "whisper",
        "WhisperForConditionalGeneration",
        "whisper_asr",
        note="true length",
        settings={**ENGLISH, "audio_window": "clip"},
    ),
    _seq2seq("moonshine", "MoonshineForConditionalGeneration", "moonshine", fails=GROUP_NORM),
    _seq2seq(
        "moonshine_streaming",
        "MoonshineStreamingForConditionalGeneration",
        "moonshine_streaming",
        fails=CONVOLUTIONS,
    ),
    _seq2seq("canary", "CanaryForConditionalGeneration", "canary", settings=ENGLISH),
    _seq2seq("cohere_asr", "CohereAsrForConditionalGeneration", "cohere_asr", settings=ENGLISH),
    _seq2seq(
        "speech_to_text",
        "Speech2TextForConditionalGeneration",
        "speech_to_text",
        fails=CONVOLUTIONS,
    ),
    _seq2seq("speech-encoder-decoder", "SpeechEncoderDecoderModel", "speech_encoder_decoder"),
    _audio_llm("qwen3_asr", "Qwen3ASRForConditionalGeneration", settings=ENGLISH),
    _audio_llm("granite_speech", "GraniteSpeechForConditionalGeneration"),
    _audio_llm("granite_speech_plus", "GraniteSpeechPlusForConditionalGeneration"),
    _audio_llm("voxtral", "VoxtralForConditionalGeneration", settings=ENGLISH),
    _audio_llm("glmasr", "GlmAsrForConditionalGeneration"),
    _audio_llm("fun_asr_nano", "FunAsrNanoForConditionalGeneration", settings=ENGLISH),
    _audio_llm("qwen2_audio", "Qwen2AudioForConditionalGeneration"),
    _audio_llm("audioflamingo3", "AudioFlamingo3ForConditionalGeneration"),
    _audio_llm("vibevoice_asr", "VibeVoiceAsrForConditionalGeneration", sample_rate=24000),
    _audio_llm("moss_transcribe_diarize", "MossTranscribeDiarizeForConditionalGeneration"),
    _speech_llm("whisper", "whisper", "chat_lm"),
    _speech_llm("whisper", "whisper", "base_lm"),
    _speech_llm("wav2vec2", "wav2vec2_base", "chat_lm", fails=GROUP_NORM),
    _speech_llm("wav2vec2", "wav2vec2_base", "base_lm", fails=GROUP_NORM),
    _speech_llm("wav2vec2-conformer", "conformer_ctc", "chat_lm", fails=CONVOLUTIONS),
    _speech_llm("wav2vec2-conformer", "conformer_ctc", "base_lm", fails=CONVOLUTIONS),
    _speech_llm("wav2vec2-bert", "w2v_bert", "chat_lm"),
    _speech_llm("wav2vec2-bert", "w2v_bert", "base_lm"),
    _speech_llm("hubert", "hubert_ctc", "chat_lm"),
    _speech_llm("hubert", "hubert_ctc", "base_lm"),
    _speech_llm("wavlm", "wavlm_ctc", "chat_lm"),
    _speech_llm("wavlm", "wavlm_ctc", "base_lm"),
    _speech_llm("data2vec-audio", "data2vec_ctc", "chat_lm", fails=CONVOLUTIONS),
    _speech_llm("data2vec-audio", "data2vec_ctc", "base_lm", fails=CONVOLUTIONS),
    _speech_llm("unispeech", "unispeech_ctc", "chat_lm"),
    _speech_llm("unispeech", "unispeech_ctc", "base_lm"),
    _speech_llm("unispeech-sat", "unispeech_sat_ctc", "chat_lm", fails=GROUP_NORM),
    _speech_llm("unispeech-sat", "unispeech_sat_ctc", "base_lm", fails=GROUP_NORM),
    _speech_llm("parakeet_ctc", "parakeet_ctc", "chat_lm"),
    _speech_llm("parakeet_ctc", "parakeet_ctc", "base_lm"),
)
