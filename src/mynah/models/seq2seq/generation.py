"""Free-running decoding of a sequence-to-sequence recognizer, by transformers' own generation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mynah.models.seq2seq.loading import MOST_TOKENS, beams_of
from mynah.models.text.generated import Generated, GreedyScores, until_end
from mynah.models.text.tokenizers import text_of
from mynah.models.transcript import Transcript
from mynah.stopping.polling import stopping_criteria

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessor

    from mynah.models.seq2seq.prompts import Prompts

# Against what a checkpoint may bring that samples, or forces what the prompt says already.
_PLAIN: dict[str, Any] = {
    **dict.fromkeys(("max_new_tokens", "temperature", "top_k", "top_p")),
    **dict.fromkeys(("forced_decoder_ids", "forced_bos_token_id")),
    "do_sample": False,
    "return_dict_in_generate": False,
}


def generate(
    model: Any,
    inputs: dict[str, torch.Tensor],
    prompts: Sequence[Sequence[int]],
    *,
    end: int,
    limits: Sequence[int | None],
    first_time: int | None,
    most: Sequence[int] | None = None,
    n_best: int | None = None,
) -> list[list[Generated]]:
    """What a model writes: the same for any batch of inputs of one length.

    Beams and suppressed tokens are the checkpoint's. Beyond them nothing is forced or sampled.

    Args:
        model: A model of AutoModelForSpeechSeq2Seq, not wrapped.
        inputs: What its encoder takes, [batch, ...] each.
        prompts: The decoder's first tokens of each row, as many for every row.
        end: The token that ends a transcript.
        limits: Most tokens, prompt included, None where one is none.
        first_time: Whisper's ``<|0.00|>`` where timestamps are written; their rules then hold:
            they come in pairs and never go back.
        most: Most tokens of each row's transcript, as its length allows. Beams are not bounded so:
            where they stop decides which of them is the best.
        n_best: Hypotheses of each row, by as many beams, 1: greedy; None: one, by the checkpoint's.

    Returns:
        What follows the prompt of each row, times among its tokens; the likeliest first.
    """
    import torch
    from transformers import GenerationMixin, LogitsProcessorList

    length = len(prompts[0])
    may_have = min((one for one in limits if one is not None), default=MOST_TOKENS) - length
    rules = LogitsProcessorList()
    if first_time is not None:
        rules.append(_time_rules(model, first_time, length))
    scores, is_greedy = GreedyScores(), (n_best or beams_of(model)) == 1
    if is_greedy:
        rules.append(scores)
    steps = may_have if most is None or not is_greedy else min(may_have, max(most))
    pad = model.generation_config.pad_token_id
    # Not the model's own generate: Whisper's pads to its window, and names one language.
    options: dict[str, Any] = {
        **inputs,
        **_PLAIN,
        "decoder_input_ids": torch.tensor(prompts, device=next(iter(inputs.values())).device),
        "max_length": length + steps,
        "stopping_criteria": stopping_criteria(),
        **({"num_beams": 1} if is_greedy else {}),
        "pad_token_id": end if pad is None else pad,
    }
    ends = _ends(model, end)
    if n_best is not None and not is_greedy:
        return _several(model, {**options, "logits_processor": rules}, length, ends, n_best)
    rows = GenerationMixin.generate(model, logits_processor=rules, **options)[:, length:].tolist()
    if is_greedy:
        return [[one] for one in scores.generated(_bounded(rows, most), ends, may_have)]
    return [[_of_beams(until_end(row, ends), may_have)] for row in rows]


def _several(
    model: Any, options: dict[str, Any], length: int, ends: set[int], size: int
) -> list[list[Generated]]:
    """So many hypotheses of each row, with the log probability that a length penalty divided."""
    from transformers import GenerationMixin

    options |= {"num_beams": size, "num_return_sequences": size}
    options |= {"return_dict_in_generate": True, "output_scores": True}
    beams: Any = GenerationMixin.generate(model, **options)
    penalty = model.generation_config.length_penalty
    penalty = 1.0 if penalty is None else penalty
    found = []
    rows = beams.sequences[:, length:].tolist()
    for row, score in zip(rows, beams.sequences_scores.cpu().double().tolist(), strict=True):
        tokens = until_end(row, ends)
        steps = min(len(tokens) + 1, len(row))  # a row that was cut has no end
        is_cut = len(tokens) >= options["max_length"] - length
        found.append(Generated(tokens, score * steps**penalty, is_cut))
    return [found[first : first + size] for first in range(0, len(found), size)]


def _of_beams(tokens: tuple[int, ...], most: int) -> Generated:
    return Generated(tokens, None, len(tokens) >= most)


def _bounded(rows: list[list[int]], most: Sequence[int] | None) -> list[list[int]]:
    """Rows cut to what each may have, whatever else was in its batch: what is longer is a loop, and
    no text is missing of it."""
    return rows if most is None else [row[:one] for row, one in zip(rows, most, strict=True)]


def _time_rules(model: Any, first_time: int, length: int) -> LogitsProcessor:
    """Whisper's rules of timestamps, for what follows a prompt of so many tokens."""
    from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

    config = copy.deepcopy(model.generation_config)
    config.no_timestamps_token_id = first_time - 1
    return WhisperTimeStampLogitsProcessor(config, begin_index=length)


def _ends(model: Any, end: int) -> set[int]:
    """The tokens that end a transcript: ours, and those at which the model stops."""
    stops = model.generation_config.eos_token_id
    return {end, *(stops if isinstance(stops, list) else [] if stops is None else [stops])}


def identify_languages(
    model: Any, inputs: dict[str, torch.Tensor], prompts: Prompts, languages: Sequence[str]
) -> list[str]:
    """The languages, those not known as Whisper identifies them (arXiv 2212.04356, 2.3).

    Args:
        model: A Whisper, not wrapped.
        inputs: What its encoder takes, [batch, ...] each.
        prompts: Its prompts.
        languages: ISO 639-1 code of each row, "" where it is not known.
    """
    import torch

    unknown = [row for row, one in enumerate(languages) if not prompts.knows(one)]
    if not unknown:
        return list(languages)
    features = inputs["input_features"][unknown]
    tokens = torch.tensor([prompts.tokens(code)[1] for code in prompts.languages])
    start = torch.full((len(unknown), 1), prompts.ids("")[0])
    with torch.no_grad():
        logits = model(
            input_features=features, decoder_input_ids=start.to(features.device), use_cache=False
        ).logits[:, -1]
    best = logits[:, tokens.to(logits.device)].argmax(-1).tolist()
    found = {row: prompts.languages[one] for row, one in zip(unknown, best, strict=True)}
    return [found.get(row, one) for row, one in enumerate(languages)]


def transcript(
    generated: Generated, tokenizer: Any, language: str, first_time: int | None
) -> Transcript:
    """What is written of a clip.

    Args:
        generated: The tokens.
        tokenizer: Of the model.
        language: What the decoder was conditioned on, "" for none.
        first_time: The token from which on tokens are times; None: none are.
    """
    tokens = generated.tokens
    if first_time is not None:
        tokens = tuple(one for one in tokens if one < first_time)
    text = text_of(tokenizer, tokens)
    return Transcript(
        text,
        tokens,
        generated.log_probability,
        language=language or None,
        is_cut=generated.is_cut,
    )
