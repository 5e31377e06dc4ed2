"""The network of the ``speech_llm`` family: speech encoder, projector, causal language model.

The arrangement of SLAM-ASR (arXiv 2402.08846). The encoder's frames are stacked, projected
into the language model's embeddings and put where the prompt has its audio tokens, as
transformers' Qwen3-ASR does it.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)

from mynah.models import adapters, hub, speech_encoders, weights

AUDIO_TOKEN = -200  # stands for one projected vector; no text has a negative token
IGNORED = -100  # label of a position that is no target, as everywhere in transformers

ENCODER = "encoder"
DECODER = "language_model"
ADAPTER = "adapter"
_PROJECTOR = "projector.safetensors"


class SpeechLLMConfig(PreTrainedConfig):
    """Sizes, and which part of the checkpoint is kept where.

    Args:
        encoder_config: Configuration of the speech encoder.
        text_config: Configuration of the language model.
        projector_stack: Encoder frames joined into one vector.
        projector_hidden_size: Width of the projector's hidden layer.
        prompt: Instruction to the language model.
        bases: Name and commit of the pretrained ``encoder`` and ``language_model``.
        saved_parts: Parts that a checkpoint holds itself, in folders of these names, because
            they were trained; the others are loaded from their bases.
        generation_max_length: Most tokens of a transcript.
        audio_window: ``"native"`` where a Whisper encoder hears every clip in its window.
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
        self.generation_max_length = generation_max_length
        self.audio_window = audio_window
        super().__init__(**kwargs)


def _as_config(written: Any) -> Any:
    if not isinstance(written, dict):
        return written
    fields = dict(written)
    return AutoConfig.for_model(fields.pop("model_type"), **fields)


class Projector(nn.Module):
    """Stacks frames and maps them to the language model's width: two layers and a GELU."""

    def __init__(self, width: int, stack: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.stack = stack
        self.layers = nn.Sequential(
            nn.Linear(width * stack, hidden_size), nn.GELU(), nn.Linear(hidden_size, output_size)
        )

    def tokens(self, frames: torch.Tensor) -> torch.Tensor:
        """Vectors that ``frames`` encoder frames become: a last, partial stack counts."""
        return (frames + self.stack - 1) // self.stack

    def forward(self, hidden: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """[batch, time, width] with ``frames`` real ones a row to packed [vectors, output]."""
        batch, time, _ = hidden.shape
        real = torch.arange(time, device=hidden.device) < frames[:, None]
        hidden = nn.functional.pad(hidden * real[..., None], (0, 0, 0, -time % self.stack))
        stacked = hidden.reshape(batch, hidden.shape[1] // self.stack, -1)
        used = torch.arange(stacked.shape[1], device=hidden.device) < self.tokens(frames)[:, None]
        return self.layers(stacked[used])


class SpeechLLM(PreTrainedModel):
    """A speech encoder whose frames a causal language model reads as part of its prompt.

    Args:
        config: Sizes and origins.
        encoder: The speech encoder; drawn from its configuration where None.
        language_model: The causal language model, LoRA around it or not; likewise.
    """

    config_class = SpeechLLMConfig
    main_input_name = "input_ids"
    input_modalities = ["audio", "text"]  # noqa: RUF012 - as PreTrainedModel declares it
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(
        self, config: SpeechLLMConfig, encoder: Any = None, language_model: Any = None
    ) -> None:
        super().__init__(config)
        self.encoder = encoder or speech_encoders.draw(config.encoder_config)
        self.projector = Projector(
            speech_encoders.width(config.encoder_config),
            config.projector_stack,
            config.projector_hidden_size,
            config.text_config.hidden_size,
        )
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)

    def train(self, mode: bool = True) -> SpeechLLM:
        """Training mode, but for parts without a trained weight: they stay as they decode."""
        super().train(mode)
        for part in (self.encoder, self.language_model):
            if not any(parameter.requires_grad for parameter in part.parameters()):
                part.eval()
        return self

    def audio_vectors(
        self,
        input_features: torch.Tensor,
        feature_lengths: torch.Tensor,
        audio_frames: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Features [batch, frames, bins] to packed vectors of the language model [N, width]."""
        learns = any(parameter.requires_grad for parameter in self.encoder.parameters())
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            hidden = speech_encoders.encode(
                self.encoder, input_features, feature_lengths, input_features_mask
            )
        return self.projector(hidden, audio_frames)

    def embeddings(self, input_ids: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Token embeddings [batch, length, width], audio vectors in the audio tokens' places."""
        places = input_ids == AUDIO_TOKEN
        embedded = self.language_model.get_input_embeddings()(input_ids.masked_fill(places, 0))
        return embedded.masked_scatter(places[..., None], audio.to(embedded.dtype))

    def forward(
        self,
        input_ids: torch.Tensor,
        input_features: torch.Tensor,
        feature_lengths: torch.Tensor,
        audio_frames: torch.Tensor,
        attention_mask: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
        first_target: int = 0,
    ) -> torch.Tensor:
        """Logits of what follows each position, [batch, length - first_target, vocabulary].

        Args:
            input_ids: [batch, length], ``AUDIO_TOKEN`` where a projected vector goes.
            input_features: [batch, frames, bins] or [batch, samples].
            feature_lengths: Real features of each row, [batch].
            audio_frames: Real encoder frames of each row, [batch].
            attention_mask: [batch, length], padding behind the text is 0.
            input_features_mask: [batch, frames], for encoders that are told of padding.
            first_target: Position before which no logits are needed.
        """
        audio = self.audio_vectors(
            input_features, feature_lengths, audio_frames, input_features_mask
        )
        kept = input_ids.shape[1] - first_target
        logits = self.language_model(
            inputs_embeds=self.embeddings(input_ids, audio),
            attention_mask=attention_mask,
            use_cache=False,
            **({"logits_to_keep": kept} if self._keeps_logits else {}),
        ).logits
        return logits[:, -kept:]

    @property
    def _keeps_logits(self) -> bool:
        model = self.language_model
        inner = model.get_base_model() if adapters.is_adapted(model) else model
        return "logits_to_keep" in inspect.signature(inner.forward).parameters

    @torch.inference_mode()
    def greedy(self, embedded: torch.Tensor, *, end: int, max_tokens: int) -> list[list[int]]:
        """The most likely next token again and again, for prompts of one length.

        Args:
            embedded: Prompts [batch, length, width], without padding.
            end: Token that ends a transcript; not part of the result.
            max_tokens: Most tokens to say.
        """
        cache = None
        said: list[torch.Tensor] = []
        done = torch.zeros(len(embedded), dtype=torch.bool, device=embedded.device)
        step: dict[str, torch.Tensor] = {"inputs_embeds": embedded}
        keep = {"logits_to_keep": 1} if self._keeps_logits else {}
        for _ in range(max_tokens):
            output = self.language_model(**step, past_key_values=cache, use_cache=True, **keep)
            token = output.logits[:, -1].argmax(-1).masked_fill(done, end)
            done = done | (token == end)
            said.append(token)
            if bool(done.all()):
                break
            cache = output.past_key_values
            step = {"input_ids": token[:, None]}
        rows = torch.stack(said, dim=1).tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, **kwargs: Any
    ) -> None:
        """Write what was trained: a part that was not is named by its base and commit."""
        from safetensors.torch import save_file

        directory = Path(save_directory)
        directory.mkdir(parents=True, exist_ok=True)
        with hub.quiet():
            if ENCODER in self.config.saved_parts:
                self.encoder.save_pretrained(directory / ENCODER)
            if ADAPTER in self.config.saved_parts:
                adapters.save_lora(self.language_model, directory / ADAPTER)
            if DECODER in self.config.saved_parts:
                self.language_model.save_pretrained(directory / DECODER)
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(directory)
        weights = {k: v.detach().cpu().contiguous() for k, v in self.projector.state_dict().items()}
        save_file(weights, directory / _PROJECTOR, metadata={"format": "pt"})

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *model_args: Any,
        local_files_only: bool = False,
        **kwargs: Any,
    ) -> SpeechLLM:
        """A checkpoint that :meth:`save_pretrained` wrote, every weight accounted for, in fp32.

        Raises:
            UserError: A part is missing, altered, or not to be had.
        """
        from safetensors.torch import load_file

        directory = Path(pretrained_model_name_or_path)
        config = SpeechLLMConfig.from_pretrained(directory)

        def source(part: str) -> hub.Source:
            if part in config.saved_parts:
                return hub.Source(str(directory / part), offline=True, setting=str(directory))
            name, commit = config.bases[part]
            return hub.Source(name, None if commit == "local" else commit, offline=local_files_only)

        encoder = speech_encoders.load(source(ENCODER), config.encoder_config)
        language_model = load_language_model(source(DECODER))
        if ADAPTER in config.saved_parts:
            language_model = adapters.load_lora(language_model, directory / ADAPTER, trainable=True)
        model = cls(config, encoder, language_model)
        weights = load_file(directory / _PROJECTOR)
        needed = model.projector.state_dict()
        adapters.check_keys(needed, weights, where=directory / _PROJECTOR)
        model.projector.load_state_dict(weights)
        freeze(model)
        return model.eval()


def load_language_model(source: hub.Source) -> Any:
    """A causal language model in fp32.

    Raises:
        UserError: It is not to be had, or its weights are not whole.
    """
    return weights.load(AutoModelForCausalLM, source)


def freeze(model: SpeechLLM) -> None:
    """Let train what the checkpoint holds: parts that come from their bases stay as they are."""
    if ENCODER not in model.config.saved_parts:
        model.encoder.requires_grad_(False)
    if DECODER not in model.config.saved_parts and ADAPTER not in model.config.saved_parts:
        model.language_model.requires_grad_(False)


AutoConfig.register(SpeechLLMConfig.model_type, SpeechLLMConfig)
AutoModel.register(SpeechLLMConfig, SpeechLLM)
