"""Audio LLMs of transformers, through their own processors' request to transcribe.

An encoder's frames stand in a language model's prompt, which then writes the transcript and its
end. What differs between them is in one record each, in ``architectures/``.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.config.tuning import Tuning
from mynah.models.audio_llm import loading, tuning
from mynah.models.audio_llm.loading import AudioLLMUsage
from mynah.models.audio_llm.prompts import Prompt, turn_end
from mynah.models.audio_llm.registry import ARCHITECTURES, UNSUPPORTED_AUDIO_LLMS
from mynah.models.family import Example, LossSum
from mynah.models.lora import adapters
from mynah.models.parameters import evaluating, hold_frozen_norms, parameter_table
from mynah.models.pretrained import hub, weights
from mynah.models.pretrained.part import NamedParts, PretrainedPart
from mynah.models.pretrained.usage import record_generation
from mynah.models.recognizer import WritingRecognizer
from mynah.models.text import packed_attention, packing
from mynah.models.text.generated import Generated, GreedyScores
from mynah.models.text.pieces import Pieces
from mynah.models.text.plain_text import PlainText
from mynah.models.text.token_loss import IGNORED, token_loss
from mynah.models.transcript import Clip, Transcript
from mynah.stopping.polling import stopping_criteria

if TYPE_CHECKING:
    import torch

    from mynah.config.schema import ModelConfig

_SHORTEST_SECONDS = 0.1  # too short for a word, and too little for a spectrum
_PLACE = "\ue000"  # of a transcript in a request; a private character that no tokenizer knows
_NOT_INPUTS = ("labels", "weights", packing.LENGTHS)


class AudioLLM(WritingRecognizer):
    """A model of AutoModelForMultimodalLM that transcribes, or that model with LoRA.

    Args:
        model: The model.
        processor: Its processor.
        usage: How it is used.
        revisions: Names of the pretrained parts with their commits.
    """

    name = "audio_llm"
    supports = frozenset({"language"})
    takes_context = True
    usage: AudioLLMUsage
    _mixes = True
    _packing: str | None = None

    def __init__(
        self,
        model: Any,
        processor: Any,
        usage: AudioLLMUsage,
        *,
        revisions: dict[str, str] | None = None,
    ) -> None:
        super().__init__(model, processor, revisions=revisions)
        base = weights.own(model)
        self._plain = PlainText(self.tokenizer)
        architecture = ARCHITECTURES.get(self.kind)
        self._modules = architecture.modules
        self._noise_switch = architecture.noise_switch
        self._context = loading.context_length(base.config)
        self._ends = loading.end_tokens(base)
        self._keeps_logits = "logits_to_keep" in inspect.signature(base.forward).parameters
        self.frontend = architecture.frontend(processor, base.config)
        self.sample_rate = self.frontend.sample_rate
        self.feature_seconds = self.frontend.feature_seconds
        self.log_mel, self.stacked = self.frontend.log_mel, self.frontend.stacked
        self._use(usage)

    def _use(self, usage: AudioLLMUsage) -> None:
        self.usage = usage
        architecture = ARCHITECTURES.get(self.kind)
        self._requests = architecture.requests(self.processor, usage.prompt, usage.language)
        self._end = turn_end(self._requests, self._ends)

    @classmethod
    def model_types(cls) -> Collection[str]:
        return ARCHITECTURES.names

    @classmethod
    def refused(cls) -> Mapping[str, str]:
        return UNSUPPORTED_AUDIO_LLMS

    @classmethod
    def register(cls, model_type: str) -> None:
        ARCHITECTURES.get(model_type)  # whose module may do it

    @classmethod
    def check_pretrained(cls, config: ModelConfig, part: PretrainedPart, sample_rate: int) -> None:
        loading.check_audio_llm(config, part, sample_rate)

    @classmethod
    def build(
        cls, config: ModelConfig, parts: NamedParts, *, texts: Iterable[str], sample_rate: int
    ) -> AudioLLM:
        part = parts["pretrained"]
        if loading.holds_adapter_alone(part):
            return cls._continued(config, part.folder, offline=part.offline)
        return cls._from_pretrained(config, part, sample_rate)

    @classmethod
    def _from_pretrained(
        cls, config: ModelConfig, part: PretrainedPart, sample_rate: int
    ) -> AudioLLM:
        written = hub.load_config(part)
        architecture = ARCHITECTURES.get(written.model_type)
        learns = tuning.tuning_of(config, written.model_type)
        processor = loading.audio_llm_processor(architecture, part)
        model: Any = loading.load_audio_llm(architecture, part, written)
        commit = hub.commit_of(part)
        if learns.adapts:
            model = tuning.add_lora_to_parts(model, config, learns, part, architecture.modules)
        else:
            tuning.freeze_audio_llm(model, learns, architecture.modules)
        usage = loading.usage_of(config, AudioLLMUsage.of(written))
        family = cls(model, processor, usage, revisions={part.name: commit})
        loading.check_rate(family.sample_rate, part, sample_rate)
        return family

    def _learns(self, config: ModelConfig) -> Tuning:
        return tuning.tuning_of(config, self.kind)

    def _freeze(self, model: Any, learns: Tuning) -> None:
        tuning.freeze_audio_llm(model, learns, self._modules)

    def _around(self, model: Any, config: ModelConfig) -> AudioLLM:
        usage = loading.usage_of(config, self.usage)
        return AudioLLM(model, self.processor, usage, revisions=self.base_revisions())

    @classmethod
    def load(cls, directory: Path, *, offline: bool = False) -> AudioLLM:
        from transformers import AutoConfig, GenerationConfig

        here = hub.checkpoint(directory)
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        architecture = ARCHITECTURES.get(config.model_type)
        processor = loading.audio_llm_processor(architecture, here)
        usage = AudioLLMUsage.of(config)
        if not loading.holds_adapter_alone(here):
            return cls(loading.load_audio_llm(architecture, here, config), processor, usage)
        base = adapters.adapted_base(directory, offline=offline)
        written = hub.load_config(base)
        model: Any = loading.load_audio_llm(ARCHITECTURES.get(written.model_type), base, written)
        model.generation_config = GenerationConfig.from_pretrained(directory, local_files_only=True)
        usage.record(model)  # the base may say otherwise
        model = adapters.load_lora(model, directory, trainable=True)
        return cls(model, processor, usage, revisions={base.name: hub.commit_of(base)})

    def _record(self, base: Any) -> None:
        super()._record(base)
        most = self.usage.generation_max_length
        record_generation(base.generation_config, beams=1, most_new_tokens=most)

    def untuned(self) -> AudioLLM:
        return self

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.frontend.features(audio)

    def labels(self, text: str) -> list[int]:
        written = self._requests.target(text)
        if not self._plain.holds_control(text):
            return [*self._text_ids(written), self._end]
        # A transcript that holds a control token is text; what a request puts around it is not.
        before, after = self._requests.target(_PLACE).split(_PLACE)
        middle = written[len(before) : len(written) - len(after)]
        return [
            *self._text_ids(before), *self._plain.ids(middle), *self._text_ids(after), self._end,
        ]  # fmt: skip

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def output_length(self, samples: int) -> int:
        """Audio tokens that ``samples`` samples become in the prompt."""
        return self.frontend.tokens(self.frontend.feature_length(samples))

    def impossible(self, samples: int, labels: Sequence[int]) -> str | None:
        if not self._can_encode(samples):
            return f"it is shorter than {_SHORTEST_SECONDS:g} s, or than the encoder can encode"
        longest = self.frontend.max_samples
        if longest is not None and samples > longest:
            seconds = longest / self.sample_rate
            return f"it is longer than the {seconds:g} s that the model encodes at once"
        seconds = samples / self.sample_rate
        prompt = self._requests.prompt("", "", seconds)
        length = prompt.length + len(prompt.given) + self.output_length(samples) + len(labels)
        if self._context is not None and length > self._context:
            return f"audio and transcript are {length} tokens, over the {self._context} it holds"
        return None

    def _can_encode(self, samples: int) -> bool:
        long_enough = samples >= _SHORTEST_SECONDS * self.sample_rate
        return long_enough and self.output_length(samples) > 0

    def check_languages(self, languages: Iterable[str]) -> None:
        self._requests.check(languages)

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        import torch

        rows = []
        for example in examples:
            tokens = self.frontend.tokens(len(example.features))
            prompt = self._requests.prompt(
                example.language, example.context, self._seconds(example)
            )
            given = [*self._ids(prompt, tokens), *prompt.given]
            rows.append((given, list(example.labels) or [self._end]))
        made = {
            **self.frontend.pad([example.features for example in examples]),
            "weights": torch.tensor([example.weight for example in examples]),
        }
        if self._packing is not None:
            return {**made, **packing.pack(rows)}
        shape = (len(rows), max(len(given) + len(labels) for given, labels in rows))
        input_ids = torch.full(shape, self._end, dtype=torch.long)
        labels = torch.full(shape, IGNORED, dtype=torch.long)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        for row, (given, learned) in enumerate(rows):
            length = len(given) + len(learned)
            input_ids[row, :length] = torch.tensor([*given, *learned])
            labels[row, len(given) : length] = torch.tensor(learned)
            attention_mask[row, :length] = 1
        return {
            **made,
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": labels,
        }

    @classmethod
    def check_packing(cls, how: str, parts: NamedParts) -> None:
        part = parts["pretrained"]
        packed_attention.check(hub.load_config(part), how, part.name)

    def pack_sequences(self, how: str | None) -> None:
        if how is not None:
            own = weights.own(self.model)
            decoders = [own.get_submodule(path) for path in self._modules.decoder]
            packed_attention.prepare(own, decoders, how, self.kind)
        self._packing = how

    def _seconds(self, example: Example) -> float:
        if example.seconds is not None:
            return example.seconds
        length = len(example.features)
        return length * (self.feature_seconds or 1 / self.sample_rate)

    def _ids(self, prompt: Prompt, audio_tokens: int) -> list[int]:
        return [*prompt.before, *self._requests.audio(audio_tokens), *prompt.after]

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> LossSum:
        hold_frozen_norms(self.model)
        inputs: dict[str, Any] = {k: v for k, v in batch.items() if k not in _NOT_INPUTS}
        if self._noise_switch is not None:
            inputs[self._noise_switch] = self.model.training
        if packing.LENGTHS in batch:
            return self._packed_loss(model, inputs, batch)
        labels = batch["labels"]
        # Logits at a position are of the token after it; the prompt's are not needed.
        first = int((labels != IGNORED).any(0).int().argmax())
        kept = labels.shape[1] - first + 1
        if self._keeps_logits:
            inputs["logits_to_keep"] = kept
        logits = model(**inputs, use_cache=False).logits[:, -kept:-1]
        return token_loss(logits, labels[:, first:], batch["weights"])

    def _packed_loss(
        self, model: Any, inputs: dict[str, Any], batch: dict[str, torch.Tensor]
    ) -> LossSum:
        targets = packing.PackedTargets.of(batch)
        assert self._packing is not None
        inputs["attention_mask"] = packing.attention_mask(batch[packing.LENGTHS], self._packing)
        if self._keeps_logits:
            inputs["logits_to_keep"] = targets.before
        logits = model(**inputs, use_cache=False).logits
        logits = logits if self._keeps_logits else logits[:, targets.before]
        weights = batch["weights"][targets.owners]
        return token_loss(logits.transpose(0, 1), targets.labels.transpose(0, 1), weights)

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        longest = [
            self._longest(len(clip.audio), self._requests.prompt(clip.language, clip.context))
            for clip in clips
        ]
        pieces = Pieces.of([clip.audio for clip in clips], longest, self._can_encode)
        found: dict[int, Transcript] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        features = [self.features(piece) for piece in pieces.audios]
        prompts = []
        for row, (piece, owner) in enumerate(zip(pieces.audios, pieces.owners, strict=True)):
            seconds = len(piece) / self.sample_rate
            clip = clips[owner]
            prompts.append(self._requests.prompt(clip.language, clip.context, seconds))
            key = self.frontend.alike(len(features[row])), prompts[-1].length
            groups.setdefault(key, []).append(row)
        with evaluating(self.model):
            for _, rows in sorted(groups.items(), reverse=True):
                generated = self._generate(
                    [features[row] for row in rows], [prompts[row] for row in rows]
                )
                for row, one in zip(rows, generated, strict=True):
                    found[row] = self._transcript(one, clips[pieces.owners[row]].language)
        return pieces.joined([found[row] for row in range(len(found))])

    def encoded_seconds(self, seconds: float) -> float:
        return self.frontend.encoded_seconds(seconds)

    @property
    def window_samples(self) -> int | None:
        longest = self.frontend.max_samples
        return None if longest is None else self._longest(longest, self._requests.prompt("", ""))

    def _longest(self, samples: int, prompt: Prompt) -> int:
        """Samples that are encoded at once: with prompt and transcript they fit the context."""
        longest = max(1, min(samples, self.frontend.max_samples or samples))
        if self._context is None:
            return longest
        room = self._context - prompt.length - self.usage.generation_max_length
        while longest > self.sample_rate and self.output_length(longest) > room:
            longest //= 2
        return longest

    def _generate(
        self, features: Sequence[np.ndarray], prompts: Sequence[Prompt]
    ) -> list[Generated]:
        """What is written of clips whose prompts are equally long with their audio."""
        import torch

        base = weights.own(self.model)
        device = next(base.parameters()).device
        tokens = self.frontend.tokens(len(features[0]))
        ids = torch.tensor([self._ids(prompt, tokens) for prompt in prompts])
        batch = {**self.frontend.pad(features), "input_ids": ids}
        batch["attention_mask"] = torch.ones_like(ids)
        options: dict[str, Any] = {self._noise_switch: False} if self._noise_switch else {}
        scores = GreedyScores()
        rows = base.generate(
            **{name: tensor.to(device) for name, tensor in batch.items()},
            **options,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_k=None,
            top_p=None,
            max_length=None,
            max_new_tokens=self.usage.generation_max_length,
            eos_token_id=self._ends,
            pad_token_id=self._end,
            return_dict_in_generate=False,
            logits_processor=[scores],
            stopping_criteria=stopping_criteria(),
        )[:, ids.shape[1] :].tolist()
        return scores.generated(rows, self._ends, self.usage.generation_max_length)

    def _transcript(self, generated: Generated, language: str) -> Transcript:
        """What is written of a clip in ``language``."""
        tokens = generated.tokens
        written = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return Transcript(
            self._requests.transcript(written),
            tokens,
            generated.log_probability,
            language=self._requests.language or self._requests.code(language),
            is_cut=generated.is_cut,
        )

    def describe_decoding(self) -> str:
        return "greedy generation by the language model"

    def configure_decoding(self, config: ModelConfig) -> None:
        self._use(loading.usage_of(config, self.usage))

    def parameter_table(self) -> list[tuple[str, int, int]]:
        return parameter_table(self.model, self.part_of)

    def part_of(self, name: str) -> str:
        return self._modules.part_of(name)
