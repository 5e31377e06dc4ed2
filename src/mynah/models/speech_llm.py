"""The guide's arrangement: a pretrained speech encoder, a projector, a language model with LoRA."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.errors import UserError
from mynah.config.tuning import FROZEN, FULL, LORA, tuning_of_parts
from mynah.models import adapters, hub
from mynah.models.family import Example, Family, LossSum
from mynah.models.frontends import Frontend, frontend_for, group_by_length, length_function
from mynah.models.parameters import hold_frozen_norms, parameter_table
from mynah.models.seq2seq_frontends import WhisperWindowFrontend

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

# A clip is followed by silence, alone, up to a multiple of this: clips of one length decode in
# one batch without padding, so that a transcript does not depend on its neighbours.
_QUANTUM_SECONDS = 0.5
_PROMPT = "Transcribe the speech."  # where model.prompt is null
_PLACE = "<|audio|>"  # where the audio goes in a prompt before it is cut there; never a token


class SpeechLLMFamily(Family):
    """A :class:`~mynah.models.speech_llm_model.SpeechLLM` with its extractor and tokenizer.

    Args:
        model: The network.
        extractor: Feature extractor of its encoder.
        tokenizer: Tokenizer of its language model.
    """

    name = "speech_llm"

    def __init__(self, model: Any, extractor: Any, tokenizer: Any) -> None:
        self.model = model
        self.pretrained = True
        self.extractor = extractor
        self.tokenizer = tokenizer
        self.frontend: Frontend
        if model.config.audio_window == "native" and model.encoder.config.model_type == "whisper":
            self.frontend = WhisperWindowFrontend(extractor, length_function(model.encoder))
        else:
            self.frontend = frontend_for(extractor, model.encoder)
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self._stack: int = model.config.projector_stack
        self._bases = dict(model.config.bases)
        self._max_tokens: int = model.config.generation_max_length
        self._context = getattr(model.config.text_config, "max_position_embeddings", None)
        self._quantum = round(_QUANTUM_SECONDS * self.sample_rate)
        self._end: int = tokenizer.eos_token_id
        self._before, self._after = prompt_ids(tokenizer, model.config.prompt)

    @classmethod
    def build(
        cls, config: ModelConfig, *, texts: Iterable[str], sample_rate: int, offline: bool
    ) -> SpeechLLMFamily:
        from mynah.models import speech_encoders
        from mynah.models import speech_llm_model as network

        if config.pretrained is not None:
            return cls.load(Path(config.pretrained), offline=offline)
        assert config.encoder_model_name and config.decoder_model_name
        hearing = hub.Source.of(config, "encoder_model_name", offline=offline)
        speaking = hub.Source.of(config, "decoder_model_name", offline=offline)
        heard = speech_encoders.encoder_config(hub.load_config(hearing), hearing)
        spoken = hub.load_config(speaking)
        extractor = hub.feature_extractor(hearing, sample_rate)
        tokenizer = _tokenizer(speaking)
        encoder = speech_encoders.load(hearing, heard)
        language_model = network.load_language_model(speaking)

        bases = {
            network.ENCODER: [_lasting(hearing), hub.commit_of(hearing)],
            network.DECODER: [_lasting(speaking), hub.commit_of(speaking)],
        }
        learns = tuning_of_parts(config)
        saved = [] if learns.encoder == FROZEN else [network.ENCODER]
        if learns.decoder == LORA:
            name, commit = bases[network.DECODER]
            language_model = adapters.add_lora(
                language_model,
                config,
                base=name,
                revision=None if speaking.is_folder else commit,
            )
            saved.append(network.ADAPTER)
        elif learns.decoder == FULL:
            saved.append(network.DECODER)
        model = network.SpeechLLM(
            network.SpeechLLMConfig(
                encoder_config=heard,
                text_config=spoken,
                projector_stack=config.projector.stack,
                projector_hidden_size=config.projector.hidden_size,
                prompt=config.prompt or _PROMPT,
                bases=bases,
                saved_parts=saved,
                generation_max_length=config.generation_max_length,
                audio_window="native" if config.audio_window == "native" else "clip",
            ),
            encoder,
            language_model,
        )
        network.freeze(model)
        return cls(model, extractor, tokenizer)

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> SpeechLLMFamily:
        from transformers import AutoFeatureExtractor, AutoTokenizer

        from mynah.models.speech_llm_model import SpeechLLM

        model = SpeechLLM.from_pretrained(directory, local_files_only=offline)
        extractor = AutoFeatureExtractor.from_pretrained(directory, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        return cls(model, extractor, tokenizer)

    def save(self, directory: Path) -> None:
        self.model.save_pretrained(directory)
        self.extractor.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.frontend.features(np.pad(audio, (0, self._samples(len(audio)) - len(audio))))

    def _samples(self, samples: int) -> int:
        """A clip's length with the silence behind it."""
        return -(-max(samples, 1) // self._quantum) * self._quantum

    def labels(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self._end]

    def output_length(self, samples: int) -> int:
        return self.frontend.output_length(self._samples(samples))

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        window = self._window_samples
        if window is not None and self._samples(samples) > window:
            seconds = window / self.sample_rate
            return f"it is longer than the {seconds:g} s that the encoder hears at once"
        length = len(self._prompt(self.output_length(samples))) + len(labels)
        if self._context is not None and length > self._context:
            return (
                f"prompt and transcript are {length} tokens, over the {self._context} it can hold"
            )
        return None

    @property
    def _window_samples(self) -> int | None:
        """Longest clip that the encoder hears, or None."""
        if self.frontend.max_features is None or self.feature_seconds is None:
            return None
        return round(self.frontend.max_features * self.feature_seconds * self.sample_rate)

    def _prompt(self, frames: int) -> list[int]:
        """Token ids up to the transcript, with an audio token for each projected vector."""
        from mynah.models.speech_llm_model import AUDIO_TOKEN

        return [*self._before, *[AUDIO_TOKEN] * -(-frames // self._stack), *self._after]

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        from mynah.models.speech_llm_model import IGNORED

        batch = self._audio([example.features for example in examples])
        prompts = [self._prompt(frames) for frames in batch["audio_frames"].tolist()]
        lengths = [len(p) + len(e.labels) for p, e in zip(prompts, examples, strict=True)]
        shape = (len(examples), max(lengths))
        input_ids = torch.full(shape, self._end, dtype=torch.long)
        labels = torch.full(shape, IGNORED, dtype=torch.long)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        for row, (prompt, example) in enumerate(zip(prompts, examples, strict=True)):
            input_ids[row, : lengths[row]] = torch.tensor([*prompt, *example.labels])
            labels[row, len(prompt) : lengths[row]] = torch.tensor(example.labels)
            attention_mask[row, : lengths[row]] = 1
        return {
            **batch,
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": labels,
            "weights": torch.tensor([example.weight for example in examples]),
        }

    def _audio(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """What the network takes of a batch's features."""
        import torch

        lengths = [len(one) for one in features]
        padded = self.frontend.pad(features, max(lengths))
        batch = {
            "input_features": padded[self.frontend.input_name],
            "feature_lengths": torch.tensor(self.frontend.heard(lengths), dtype=torch.long),
            "audio_frames": self.frontend.encoder_frames(lengths),
        }
        if "attention_mask" in padded:
            batch["input_features_mask"] = padded["attention_mask"]
        return batch

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        import torch

        from mynah.models.speech_llm_model import IGNORED

        hold_frozen_norms(self.model)
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "weights")}
        labels = batch["labels"]
        # Logits at a position are of the token after it.
        first = int((labels != IGNORED).any(0).int().argmax())
        logits = model(**inputs, first_target=first - 1)[:, :-1]
        targets = labels[:, first:]
        dtype = torch.promote_types(logits.dtype, torch.float32)
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).to(dtype),
            targets.flatten(),
            ignore_index=IGNORED,
            reduction="none",
        ).view(targets.shape)
        weights = batch["weights"].to(losses)
        counted = (targets != IGNORED).to(losses) * weights[:, None]
        return LossSum(total=(losses * weights[:, None]).sum(), count=counted.sum())

    def transcribe(self, audios: Sequence[np.ndarray]) -> list[str]:
        window = self._window_samples
        pieces: list[np.ndarray] = []
        owners: list[int] = []
        for row, audio in enumerate(audios):
            step = window or max(len(audio), 1)
            for start in range(0, len(audio), step):
                pieces.append(audio[start : start + step])
                owners.append(row)
        said: list[list[str]] = [[] for _ in audios]
        texts = [""] * len(pieces)
        training = self.model.training
        self.model.eval()
        try:
            for _, rows in group_by_length([len(piece) for piece in pieces], self._quantum):
                found = self._transcribe_equal([pieces[row] for row in rows])
                for row, text in zip(rows, found, strict=True):
                    texts[row] = text
        finally:
            self.model.train(training)
        for owner, text in zip(owners, texts, strict=True):
            said[owner].append(text)
        return [" ".join(filter(None, parts)) for parts in said]

    def _transcribe_equal(self, audios: Sequence[np.ndarray]) -> list[str]:
        """Transcripts of clips that are equally long with the silence behind them."""
        import torch

        device = self.model.projector.layers[0].weight.device
        batch = self._audio([self.features(audio) for audio in audios])
        prompt = torch.tensor(self._prompt(int(batch["audio_frames"][0])), device=device)
        with torch.inference_mode():
            audio = self.model.audio_vectors(**{k: v.to(device) for k, v in batch.items()})
            embedded = self.model.embeddings(prompt.expand(len(audios), -1), audio)
            rows = self.model.greedy(embedded, end=self._end, max_tokens=self._max_tokens)
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in rows]

    def describe_decoding(self) -> str:
        return "greedy generation by the language model"

    def parameter_table(self) -> list[tuple[str, int, int]]:
        return parameter_table(self.model)

    def base_revisions(self) -> dict[str, str]:
        return {base[0]: base[1] for base in self._bases.values()}


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[list[int], list[int]]:
    """Token ids before the audio and after it, up to where the transcript begins.

    With a chat template the user's turn is the audio and the instruction; a base model
    gets the audio, the instruction on a line of its own, and the transcript on the next.
    """

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    if tokenizer.chat_template:
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": _PLACE + prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # of templates that know it: no reasoning before the words
        )
        before, _, after = chat.partition(_PLACE)
        return ids(before), ids(after)
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return start, ids(f"\n{prompt}\n")


def _tokenizer(source: hub.Source) -> Any:
    """The language model's tokenizer, which must know where a text ends."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.name, **source.options())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source.name} has no tokenizer: {str(error).splitlines()[0]}",
            where=source.setting,
            fix="Name a language model with its tokenizer.",
        ) from None
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"The tokenizer of {source.name} has no token that ends a text.",
            where=source.setting,
            fix="Name a language model whose tokenizer has an eos_token.",
        )
    return tokenizer


def _lasting(source: hub.Source) -> str:
    """A name that means the same from any working directory."""
    return str(Path(source.name).resolve()) if source.is_folder else source.name
