"""When a Whisper's words are spoken, by the decoder's attention to the encoder's frames.

Some heads of its cross attention look at the frame whose word is written next: dynamic time warping
finds the monotonic path through them (openai/whisper, timing.py; the heads are those that its
authors chose, in the generation config).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.text.tokenizers import text_of
from mynah.models.text.units import unit_spans
from mynah.models.transcript import Transcript, Word

if TYPE_CHECKING:
    import torch

ALIGNED_FRAME_SECONDS = 0.02  # of the encoder
_MARKS = ".,;:!?…。、！？—-\"')]}»”’"
_MEDIAN_FRAMES = 7  # openai/whisper, timing.py, medfilt_width

Heads = list[tuple[int, int]]  # layer and head


def alignment_heads(model: Any) -> Heads:
    """The heads that look at the word that is written: those named, or all of the upper half.

    Args:
        model: A WhisperForConditionalGeneration, not wrapped.
    """
    named = getattr(model.generation_config, "alignment_heads", None)
    layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
    if named:
        return [(int(layer), int(head)) for layer, head in named]
    return [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]


class WordAligner:
    """Finds the words of transcripts in their clips.

    Args:
        model: A WhisperForConditionalGeneration, not wrapped.
        tokenizer: Its tokenizer.
        end: The token that ends a transcript.
    """

    def __init__(self, model: Any, tokenizer: Any, end: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._end = end
        self._heads = alignment_heads(model)

    def words(
        self,
        features: torch.Tensor,
        prompt: Sequence[int],
        transcript: Transcript,
        seconds: float,
    ) -> tuple[Word, ...] | None:
        """The words of a clip, in order; None where they are more tokens than the decoder reads.

        Args:
            features: What the encoder takes, [1, bins, frames].
            prompt: The decoder's first tokens.
            transcript: What was written of the clip.
            seconds: How long it is, without the silence behind it.
        """
        import torch

        if not transcript.text:
            return ()
        tokens = transcript.tokens or self._encoded(transcript.text)
        if len(prompt) + len(tokens) > self._model.config.max_target_positions:
            return None
        with torch.no_grad(), self._attention() as kept:
            hidden = self._model.model(
                input_features=features,
                decoder_input_ids=torch.tensor([[*prompt, *tokens]], device=features.device),
                use_cache=False,
            ).last_hidden_state[0, len(prompt) - 1 :]
            logits = self._model.proj_out(hidden[:-1]).float()
        scores = logits.log_softmax(-1)[range(len(tokens)), list(tokens)].tolist()
        frames = max(1, round(seconds / ALIGNED_FRAME_SECONDS))
        # Attention at each token that is read is of the one that is written next, the end at last.
        starts = _starts(self._matrix(kept, frames)[len(prompt) - 1 :]) * ALIGNED_FRAME_SECONDS
        return self._words(transcript.text, tokens, starts, scores)

    def _encoded(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(f" {text}", add_special_tokens=False)["input_ids"])

    @contextmanager
    def _attention(self) -> Iterator[dict[int, list[torch.Tensor]]]:
        """Queries and keys of the cross attention of each layer with such a head, [1, time, width]
        each: what its kernel makes of them is not to be had from every one."""
        kept: dict[int, list[torch.Tensor]] = {layer: [] for layer, _ in self._heads}
        hooks = []
        for layer, held in kept.items():
            attention = self._model.model.decoder.layers[layer].encoder_attn
            for part in (attention.q_proj, attention.k_proj):
                hooks.append(
                    part.register_forward_hook(lambda _, __, made, held=held: held.append(made))
                )
        try:
            yield kept
        finally:
            for hook in hooks:
                hook.remove()

    def _matrix(self, kept: dict[int, list[torch.Tensor]], frames: int) -> np.ndarray:
        """float32 [tokens read, frames]: how much each attends to each frame of the sound."""
        import torch

        made = []
        for layer, head in self._heads:
            attention = self._model.model.decoder.layers[layer].encoder_attn
            part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
            queries, keys = (one[0, :, part].float() for one in kept[layer])
            scores = attention.scaling * queries @ keys[:frames].T
            made.append(scores.softmax(-1))
        stacked = torch.stack(made)
        deviation, mean = torch.std_mean(stacked, dim=1, keepdim=True, unbiased=False)
        normalized = (stacked - mean) / deviation.clamp(min=1e-9)
        found: np.ndarray = _median(normalized).mean(0).cpu().numpy()
        return found

    def _words(
        self, text: str, ids: Sequence[int], starts: np.ndarray, scores: Sequence[float]
    ) -> tuple[Word, ...]:
        """The words of a text with their times, from those of its tokens.

        A mark behind a word is written in the pause that follows: it is none of its time.
        """
        reached = [len(text_of(self._tokenizer, ids[: n + 1])) for n in range(len(ids))]
        found: list[Word] = []
        position = token = 0
        for word in text.split():
            position = text.index(word, position)
            while token < len(ids) - 1 and reached[token] <= position:
                token += 1
            first = spoken = token
            letters = position + len(word.rstrip(_MARKS) or word)
            position += len(word)
            while token < len(ids) - 1 and reached[token] < position:
                token += 1
                spoken = token if reached[token - 1] < letters else spoken
            found.append(
                Word(
                    word,
                    float(starts[first]),
                    float(starts[spoken + 1]),
                    log_probability=float(sum(scores[first : token + 1])),
                    units=_units(word, position - len(word), reached, starts, scores),
                )
            )
        return tuple(found)


def _units(
    word: str,
    position: int,
    reached: Sequence[int],
    starts: np.ndarray,
    scores: Sequence[float],
) -> tuple[Word, ...]:
    """The units of a word, each with its share of the tokens that it lies in.

    Args:
        word: Text without a space.
        position: Where it begins in the transcript.
        reached: Characters of the transcript up to the end of each token; a character may be
            several.
        starts: Seconds at which each token begins, and the end.
        scores: Log probability of each token.

    Returns:
        Nothing where the word is one unit.
    """
    spans = unit_spans(word)
    if len(spans) < 2:
        return ()
    # The last of the tokens that reach a character ends it.
    last = {characters: token for token, characters in enumerate(reached)}
    places = [0, *sorted(last)]
    times = [starts[0], *(starts[last[one] + 1] for one in places[1:])]
    summed = np.concatenate([[0.0], np.cumsum(scores)])
    sums = [0.0, *(summed[last[one] + 1] for one in places[1:])]
    found: list[Word] = []
    for start, end in spans:
        spoken = start + len(word[start:end].rstrip(_MARKS) or word[start:end])
        at = [position + one for one in (start, spoken, end)]
        begin, behind, _ = np.interp(at, places, times)
        before, _, after = np.interp(at, places, sums)
        found.append(Word(word[start:end], float(begin), float(behind), float(after - before)))
    return tuple(found)


def _median(values: torch.Tensor) -> torch.Tensor:
    """Median of each value and those beside it along the last axis, edges mirrored."""
    import torch

    beside = _MEDIAN_FRAMES // 2
    if values.shape[-1] <= beside:
        return values
    padded = torch.nn.functional.pad(values, (beside, beside), mode="reflect")
    return padded.unfold(-1, _MEDIAN_FRAMES, 1).median(-1).values


def _starts(matrix: np.ndarray) -> np.ndarray:
    """The frame at which the path through [tokens, frames] comes to each token.

    Dynamic time warping with steps of one token, one frame or both, each cell costing what its
    attention lacks; computed along the diagonals, whose cells do not depend on one another.
    """
    tokens, frames = matrix.shape
    cost = np.full((tokens + 1, frames + 1), np.inf)
    trace = np.zeros((tokens + 1, frames + 1), dtype=np.int8)
    cost[0, 0] = 0.0
    for diagonal in range(2, tokens + frames + 1):
        row = np.arange(max(1, diagonal - frames), min(tokens, diagonal - 1) + 1)
        column = diagonal - row
        before = np.stack([cost[row - 1, column - 1], cost[row - 1, column], cost[row, column - 1]])
        step = before.argmin(axis=0)
        cost[row, column] = before[step, np.arange(len(row))] - matrix[row - 1, column - 1]
        trace[row, column] = step
    starts = np.zeros(tokens, dtype=np.int64)
    token, frame = tokens, frames
    while token > 0 and frame > 0:
        starts[token - 1] = frame - 1
        step = trace[token, frame]
        token -= step != 2
        frame -= step != 1
    return starts
