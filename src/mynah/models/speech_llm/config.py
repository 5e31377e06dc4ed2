"""What a checkpoint of the ``speech_llm`` family says of itself."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig

# Parts of a checkpoint, each a folder of this name where it holds the part itself.
ENCODER = "encoder"
ENCODER_ADAPTER = "encoder_adapter"
DECODER = "language_model"
ADAPTER = "adapter"


class SpeechLLMConfig(PreTrainedConfig):
    """Sizes, how each part learns, and which is kept where.

    Args:
        encoder_config: Configuration of the speech encoder.
        text_config: Configuration of the language model.
        projector_stack: Encoder frames joined into one vector.
        projector_hidden_size: Width of the projector's hidden layer.
        prompt: Instruction to the language model.
        bases: Name and commit of the pretrained ``encoder`` and ``language_model``.
        saved_parts: Parts that a checkpoint holds itself, because they were trained; the others
            are loaded from their bases.
        learns: How ``encoder``, ``projector`` and ``decoder`` learn: frozen, lora or full.
        first_new_token: Id of the first token that is learned beside the language model's own.
        new_tokens: How many of them there are; those of a language model that is trained in full
            are its own.
        ctc_labels: Labels of the CTC head, blank included; 0: there is none.
        ctc_head_weight: What the head's loss counts.
        generation_max_length: Most tokens of a transcript.
        audio_window: ``"native"`` where a Whisper encoder takes every clip in its window.
    """

    model_type = "mynah_speech_llm"

    def __init__(
        self,
        encoder_config: Any = None,
        text_config: Any = None,
        projector_stack: int = 5,
        projector_hidden_size: int = 2048,
        prompt: str = "",
        bases: dict[str, list[str]] | None = None,
        saved_parts: list[str] | None = None,
        learns: dict[str, str] | None = None,
        first_new_token: int = 0,
        new_tokens: int = 0,
        ctc_labels: int = 0,
        ctc_head_weight: float = 0.0,
        generation_max_length: int = 256,
        audio_window: str = "clip",
        **kwargs: Any,
    ) -> None:
        self.encoder_config = _as_config(encoder_config)
        self.text_config = _as_config(text_config)
        self.projector_stack = projector_stack
        self.projector_hidden_size = projector_hidden_size
        self.prompt = prompt
        self.bases = dict(bases or {})
        self.saved_parts = list(saved_parts or [])
        self.learns = dict(learns or {"encoder": "frozen", "projector": "full", "decoder": "full"})
        self.first_new_token = first_new_token
        self.new_tokens = new_tokens
        self.ctc_labels = ctc_labels
        self.ctc_head_weight = ctc_head_weight
        self.generation_max_length = generation_max_length
        self.audio_window = audio_window
        super().__init__(**kwargs)


def _as_config(written: Any) -> Any:
    if not isinstance(written, dict):
        return written
    fields = dict(written)
    return AutoConfig.for_model(fields.pop("model_type"), **fields)
