"""The network of the ``speech_llm`` family: speech encoder, projector, causal language model.

The arrangement of SLAM-ASR (arXiv 2402.08846). The encoder's frames are stacked, projected
into the language model's embeddings and put where the prompt has its audio tokens, as
transformers' Qwen3-ASR does it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.utils.generic import ModelOutput

from mynah.config.tuning import FROZEN, FULL, LORA
from mynah.models.lora import adapters, quantization
from mynah.models.patches.whisper_length import AnyLengthEncoder
from mynah.models.pretrained import bases, hub, weights
from mynah.models.pretrained.part import PretrainedPart
from mynah.models.speech_llm import encoders
from mynah.models.speech_llm.config import (
    ADAPTER,
    DECODER,
    ENCODER,
    ENCODER_ADAPTER,
    SpeechLLMConfig,
)
from mynah.models.speech_llm.new_tokens import NewTokens
from mynah.models.text.generated import Generated, largest_log_probability, until_end
from mynah.stopping.polling import poll

AUDIO_TOKEN = -200  # stands for one projected vector; no text has a negative token

# What a checkpoint always holds itself, by the name of the module.
_FILES = {
    "projector": "projector.safetensors",
    "new_tokens": "new_tokens.safetensors",
    "ctc_head": "ctc_head.safetensors",
}


@dataclass
class SpeechLLMOutput(ModelOutput):
    """What a forward pass gives.

    Attributes:
        logits: Of what follows each position asked for, [batch, positions, vocabulary].
        ctc_logits: Of the CTC head, [batch, encoder frames, labels], or None.
    """

    logits: torch.Tensor | None = None
    ctc_logits: torch.Tensor | None = None


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
        encoder: The speech encoder, LoRA around it or not; initialized from its configuration where
            None.
        language_model: The causal language model; likewise.
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
        self.encoder = encoder or encoders.initialize_encoder(config.encoder_config)
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)
        width = encoders.width(config.encoder_config)
        self.projector = Projector(
            width,
            config.projector_stack,
            config.projector_hidden_size,
            self.language_model.get_input_embeddings().weight.shape[1],
        )
        self.new_tokens: NewTokens | None = None
        if config.new_tokens:
            own = weights.own(self.language_model)
            self.new_tokens = NewTokens(own, config.first_new_token, config.new_tokens)
            self.new_tokens.install(own)
        self.ctc_head: nn.Linear | None = None
        if config.ctc_labels:
            self.ctc_head = nn.Linear(width, config.ctc_labels)

    def train(self, mode: bool = True) -> SpeechLLM:
        """Training mode, but for parts without a trained weight: they stay as they decode."""
        super().train(mode)
        for part in (self.encoder, self.language_model):
            if not any(parameter.requires_grad for parameter in part.parameters()):
                part.eval()
        return self

    def encode(
        self,
        input_features: torch.Tensor,
        feature_lengths: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Features [batch, frames, bins] to what the encoder makes of them [batch, time, width]."""
        learns = any(parameter.requires_grad for parameter in self.encoder.parameters())
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            return encoders.encode(
                weights.own(self.encoder), input_features, feature_lengths, input_features_mask
            )

    def audio_vectors(
        self,
        input_features: torch.Tensor,
        feature_lengths: torch.Tensor,
        audio_frames: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Features [batch, frames, bins] to packed vectors of the language model [N, width]."""
        hidden = self.encode(input_features, feature_lengths, input_features_mask)
        return self.projector(hidden, audio_frames)

    def embeddings(self, input_ids: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Token embeddings [batch, length, width], audio vectors in the audio tokens' places."""
        places = input_ids == AUDIO_TOKEN
        embedded = self.language_model.get_input_embeddings()(input_ids.masked_fill(places, 0))
        embedded = embedded.to(torch.promote_types(embedded.dtype, audio.dtype))
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
        position_ids: torch.Tensor | None = None,
        kept_positions: torch.Tensor | None = None,
    ) -> SpeechLLMOutput:
        """Logits of what follows each position, [batch, length - first_target, vocabulary].

        Args:
            input_ids: [batch, length], ``AUDIO_TOKEN`` where a projected vector goes.
            input_features: [batch, frames, bins] or [batch, samples].
            feature_lengths: Real features of each row, [batch].
            audio_frames: Real encoder frames of each row, [batch].
            attention_mask: [batch, length], padding behind the text is 0; of packed rows as
                :func:`mynah.models.text.packing.attention_mask` makes it.
            input_features_mask: [batch, frames], for encoders that are given the padding.
            first_target: Position before which no logits are needed.
            position_ids: [batch, length], of packed rows; None: each row counts from 0.
            kept_positions: Those whose logits alone are needed, instead of ``first_target``.
        """
        hidden = self.encode(input_features, feature_lengths, input_features_mask)
        audio = self.projector(hidden, audio_frames)
        keep: Any = kept_positions
        if keep is None:
            keep = input_ids.shape[1] - first_target
        takes = self._takes("logits_to_keep")
        logits = self.language_model(
            inputs_embeds=self.embeddings(input_ids, audio),
            attention_mask=attention_mask,
            use_cache=False,
            **({"logits_to_keep": keep} if takes else {}),
            **({} if position_ids is None else {"position_ids": position_ids}),
        ).logits
        if not takes:
            logits = logits[:, -keep:] if kept_positions is None else logits[:, kept_positions]
        return SpeechLLMOutput(
            logits=logits, ctc_logits=None if self.ctc_head is None else self.ctc_head(hidden)
        )

    def _takes(self, argument: str) -> bool:
        """Whether the language model's forward pass knows an argument."""
        return argument in inspect.signature(weights.own(self.language_model).forward).parameters

    @torch.inference_mode()
    def greedy(self, embedded: torch.Tensor, *, end: int, max_tokens: int) -> list[Generated]:
        """The most likely next token again and again, for prompts of one length.

        Args:
            embedded: Prompts [batch, length, width], without padding.
            end: Token that ends a transcript.
            max_tokens: Most tokens to write.
        """
        said: list[torch.Tensor] = []
        done = torch.zeros(len(embedded), dtype=torch.bool, device=embedded.device)
        total = torch.zeros(len(embedded), device=embedded.device)
        keep = {"logits_to_keep": 1} if self._takes("logits_to_keep") else {}
        # Keys and values of the tokens before: "cache" since transformers 5.24.
        cache = next(filter(self._takes, ("cache", "past_key_values")), None)
        step: dict[str, Any] = {"use_cache": cache is not None}
        for _ in range(max_tokens):
            poll()
            output = self.language_model(inputs_embeds=embedded, **step, **keep)
            logits = output.logits[:, -1]
            token = logits.argmax(-1).masked_fill(done, end)
            total = total + largest_log_probability(logits).masked_fill(done, 0.0)
            done = done | (token == end)
            said.append(token)
            if bool(done.all()):
                break
            new = self.language_model.get_input_embeddings()(token[:, None]).to(embedded.dtype)
            if cache is not None:
                embedded, step[cache] = new, output[cache]
            else:
                embedded = torch.cat([embedded, new], dim=1)
        found = [until_end(row, {end}) for row in torch.stack(said, dim=1).tolist()]
        return [
            Generated(tokens, score, len(tokens) >= max_tokens)
            for tokens, score in zip(found, total.tolist(), strict=True)
        ]

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, **kwargs: Any
    ) -> None:
        """Write what was trained: a part that was not is named by its base and commit."""
        from safetensors.torch import save_file

        directory = Path(save_directory)
        directory.mkdir(parents=True, exist_ok=True)
        for part, folder, adapter in (
            (self.encoder, ENCODER, ENCODER_ADAPTER),
            (self.language_model, DECODER, ADAPTER),
        ):
            if folder in self.config.saved_parts:
                _save_base(part, directory / folder)
            if adapter in self.config.saved_parts:
                adapters.save_lora(part, directory / adapter)
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(directory)
        for name, file in _FILES.items():
            if (module := getattr(self, name)) is not None:
                state = module.state_dict()
                held = {key: value.detach().cpu().contiguous() for key, value in state.items()}
                save_file(held, directory / file, metadata={"format": "pt"})

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *model_args: Any,
        local_files_only: bool = False,
        in_full: Collection[str] = (),
        **kwargs: Any,
    ) -> SpeechLLM:
        """A checkpoint that :meth:`save_pretrained` wrote, every weight accounted for.

        Parts that are to be trained ``in_full`` are not loaded in four bits, and then no part is
        held in a lower precision: :func:`mynah.models.pretrained.weights.settle` chooses that.

        Raises:
            UserError: A part is missing, altered, or not to be had.
        """
        directory = Path(pretrained_model_name_or_path)
        config = SpeechLLMConfig.from_pretrained(directory)

        def pretrained(side: str) -> PretrainedPart:
            if side in config.saved_parts:
                return dataclasses.replace(hub.checkpoint(directory / side), setting=str(directory))
            recorded = getattr(config, quantization.QUANTIZATION_RECORD, None)
            held_in = None if side in in_full else recorded
            return _base(config.bases[side], directory, held_in, offline=local_files_only)

        encoder = encoders.load_encoder(pretrained(ENCODER), config.encoder_config)
        if ENCODER_ADAPTER in config.saved_parts:
            encoder = adapters.load_lora(encoder, directory / ENCODER_ADAPTER, trainable=True)
        language_model = load_language_model(pretrained(DECODER))
        if ADAPTER in config.saved_parts:
            language_model = adapters.load_lora(language_model, directory / ADAPTER, trainable=True)
        model = cls(config, encoder, language_model)
        model._load_files(directory)
        choose_trained(model)
        if not in_full:
            weights.hold_as_recorded(model, directory)
        return model.eval()

    def _load_files(self, directory: Path) -> None:
        """Read what every checkpoint holds itself, strictly."""
        from safetensors.torch import load_file

        for name, file in _FILES.items():
            module = getattr(self, name)
            if module is None:
                continue
            if not (directory / file).is_file():
                adapters.check_keys(module.state_dict(), (), where=directory / file)
            held = load_file(directory / file)
            adapters.check_keys(module.state_dict(), held, where=directory / file)
            module.load_state_dict(held)


def load_language_model(part: PretrainedPart) -> Any:
    """A causal language model in fp32.

    Raises:
        UserError: It is not to be had, or its weights are not intact.
    """
    return weights.load_weights(AutoModelForCausalLM, part)


def choose_trained(model: SpeechLLM) -> None:
    """Let train what the configuration says; what is new, as a CTC head, always is."""
    parts = {"encoder": model.encoder, "projector": model.projector}
    for name, part in {**parts, "decoder": model.language_model}.items():
        how = model.config.learns[name]
        for path, parameter in part.named_parameters():
            parameter.requires_grad_(how == FULL or (how == LORA and ".lora_" in path))
        if how == FROZEN and part is not model.projector:
            part.eval()
    if model.config.learns["encoder"] == FULL:
        encoders.keep_as_authors_do(model.encoder)


def _save_base(part: Any, directory: Path) -> None:
    """Write a part without the LoRA matrices that may be in it, as its own class loads it."""
    own = weights.own(part)
    if own is part:
        weights.save_all(part, directory)
    else:
        state = {
            name.replace(".base_layer.", "."): tensor
            for name, tensor in own.state_dict().items()
            if ".lora_" not in name
        }
        with hub.quiet():
            own.save_pretrained(directory, state_dict=state)
    if isinstance(own, AnyLengthEncoder):
        written = type(own.config).from_pretrained(directory)
        written.architectures = ["WhisperEncoder"]
        written.save_pretrained(directory)


def _base(
    named: list[str], directory: Path, held_in: str | None, *, offline: bool
) -> PretrainedPart:
    """Where a part that a checkpoint does not hold comes from."""
    name, commit = named
    part = bases.recorded(name, commit, offline=offline, setting=str(directory / "config.json"))
    return dataclasses.replace(part, quantization=quantization.quantization_here(held_in))


AutoConfig.register(SpeechLLMConfig.model_type, SpeechLLMConfig)
AutoModel.register(SpeechLLMConfig, SpeechLLM)
