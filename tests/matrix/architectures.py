"""Every architecture that is trained here, one line each, and what of it does not hold.

``test_matrix.py`` runs every check on every line. A check that is named in ``fails`` must
fail: so the table that ``table.py`` writes from these lines cannot say what is not so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        sample_rate: Hertz that it takes.
        fails: Checks that do not hold, with the reason.
        often: Whether its checks are fast tests, or long ones: of what shares most of its code
            with another line.
    """

    name: str
    family: str
    model: str
    standins: tuple[str, ...]
    note: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    sample_rate: int = 16000
    fails: Mapping[str, str] = field(default_factory=dict)
    often: bool = True

    @property
    def id(self) -> str:
        """What the checks of this line are called by."""
        return "-".join([self.family, *self.standins, *self.note.split()])


# Why the loss of a clip hangs on the padding behind it. Transcripts do not: clips of one length
# are decoded together.
NOT_MASKED = {"loss": "its encoder is not given what is padding"}
ENGLISH = {"language": "en"}


def _ctc(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "ctc", model, (standin,), **rest)


def _transducer(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "transducer", model, (standin,), **rest)


def _seq2seq(name: str, model: str, standin: str, **rest: Any) -> Architecture:
    return Architecture(name, "seq2seq", model, (standin,), **rest)


def _audio_llm(name: str, model: str, **rest: Any) -> Architecture:
    return Architecture(name, "audio_llm", model, (name,), **rest)


def _before_language_models(
    name: str, encoder: str, *, often: Sequence[str] = (), **rest: Any
) -> Sequence[Architecture]:
    """An encoder before a chat model, and before a base model."""
    return tuple(
        Architecture(
            name, "speech_llm", "SpeechLLM", (encoder, lm), note=note, often=lm in often, **rest
        )
        for lm, note in (("chat_lm", "chat LM"), ("base_lm", "base LM"))
    )


ARCHITECTURES = (
    _ctc("wav2vec2", "Wav2Vec2ForCTC", "wav2vec2_ctc", note="group norm"),
    _ctc("wav2vec2", "Wav2Vec2ForCTC", "wav2vec2_ctc_layer_norm", note="layer norm"),
    _ctc("wav2vec2-conformer", "Wav2Vec2ConformerForCTC", "conformer_ctc"),
    _ctc(
        "wav2vec2-conformer",
        "Wav2Vec2ConformerForCTC",
        "conformer_rope_ctc",
        note="rotary",
    ),
    _ctc("wav2vec2-bert", "Wav2Vec2BertForCTC", "w2v_bert_ctc"),
    _ctc("wav2vec2-bert", "Wav2Vec2BertForCTC", "w2v_bert", note="new head"),
    _ctc("hubert", "HubertForCTC", "hubert_ctc"),
    _ctc("wavlm", "WavLMForCTC", "wavlm_ctc"),
    _ctc("data2vec-audio", "Data2VecAudioForCTC", "data2vec_ctc"),
    _ctc("unispeech", "UniSpeechForCTC", "unispeech_ctc"),
    _ctc("unispeech-sat", "UniSpeechSatForCTC", "unispeech_sat_ctc"),
    _ctc("sew", "SEWForCTC", "sew_ctc"),
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
    _seq2seq(
        "whisper", "WhisperForConditionalGeneration", "whisper_asr_english", note="English alone"
    ),
    _seq2seq("moonshine", "MoonshineForConditionalGeneration", "moonshine"),
    _seq2seq(
        "moonshine_streaming",
        "MoonshineStreamingForConditionalGeneration",
        "moonshine_streaming",
    ),
    _seq2seq("canary", "CanaryForConditionalGeneration", "canary", settings=ENGLISH),
    _seq2seq("cohere_asr", "CohereAsrForConditionalGeneration", "cohere_asr", settings=ENGLISH),
    _seq2seq(
        "speech_to_text",
        "Speech2TextForConditionalGeneration",
        "speech_to_text",
    ),
    _seq2seq("speech-encoder-decoder", "SpeechEncoderDecoderModel", "speech_encoder_decoder"),
    _audio_llm("qwen3_asr", "Qwen3ASRForConditionalGeneration", settings=ENGLISH),
    _audio_llm("granite_speech", "GraniteSpeechForConditionalGeneration", fails=NOT_MASKED),
    _audio_llm(
        "granite_speech_plus",
        "GraniteSpeechPlusForConditionalGeneration",
        fails=NOT_MASKED,
        often=False,
    ),
    _audio_llm("voxtral", "VoxtralForConditionalGeneration", settings=ENGLISH),
    _audio_llm("glmasr", "GlmAsrForConditionalGeneration", often=False),
    _audio_llm("fun_asr_nano", "FunAsrNanoForConditionalGeneration", settings=ENGLISH),
    _audio_llm("qwen2_audio", "Qwen2AudioForConditionalGeneration"),
    _audio_llm("audioflamingo3", "AudioFlamingo3ForConditionalGeneration", often=False),
    _audio_llm("vibevoice_asr", "VibeVoiceAsrForConditionalGeneration", sample_rate=24000),
    _audio_llm("moss_transcribe_diarize", "MossTranscribeDiarizeForConditionalGeneration"),
    _audio_llm("phi4_multimodal", "Phi4MultimodalForCausalLM", fails=NOT_MASKED),
    _audio_llm(
        "qwen2_5_omni", "Qwen2_5OmniThinkerForConditionalGeneration", note="thinker", often=False
    ),
    _audio_llm("qwen2_5_omni_thinker", "Qwen2_5OmniThinkerForConditionalGeneration"),
    *_before_language_models("whisper", "whisper", often=("chat_lm", "base_lm")),
    *_before_language_models("wav2vec2", "wav2vec2_base"),
    *_before_language_models("wav2vec2-conformer", "conformer_ctc"),
    *_before_language_models("wav2vec2-bert", "w2v_bert", often=("chat_lm",)),
    *_before_language_models("hubert", "hubert_ctc", often=("chat_lm",)),
    *_before_language_models("wavlm", "wavlm_ctc"),
    *_before_language_models("data2vec-audio", "data2vec_ctc"),
    *_before_language_models("unispeech", "unispeech_ctc"),
    *_before_language_models("unispeech-sat", "unispeech_sat_ctc"),
    *_before_language_models("sew", "sew_ctc"),
    *_before_language_models("sew-d", "sew_d_ctc"),
    *_before_language_models("parakeet_ctc", "parakeet_ctc", often=("chat_lm",)),
    *_before_language_models("parakeet_tdt", "parakeet_tdt"),
    *_before_language_models("parakeet_rnnt", "parakeet_rnnt"),
    *_before_language_models("lasr_ctc", "lasr_ctc"),
    *_before_language_models("canary", "canary", often=("chat_lm",)),
)
