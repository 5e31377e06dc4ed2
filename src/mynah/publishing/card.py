"""The model card: what a stranger has to know before using a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from mynah.errors import UserError
from mynah.publishing.origin import Measured, ModelOrigin

_TASK = "automatic-speech-recognition"
_HUB_METRICS = ("wer", "cer")  # what the hub knows by these names
_DIGITS = 2


def make_card(origin: ModelOrigin, name: str, licence: str | None) -> ModelCard:
    """The card of a model, read back by the hub's own library.

    Args:
        origin: What is known of it.
        name: Its name on the hub.
        licence: The hub's identifier of what its owner chose, or None.

    Raises:
        UserError: The hub's library does not take it.
    """
    public = [one for one in origin.measured if not one.needs_private]
    data = ModelCardData(
        language=list(origin.languages) or None,
        license=licence,
        library_name="peft" if origin.is_adapter else "transformers",
        pipeline_tag=_TASK,
        tags=[_TASK, "mynah"],
        base_model=list(origin.bases) or None,
        base_model_relation=("adapter" if origin.is_adapter else "finetune")
        if origin.bases
        else None,
        datasets=list(origin.datasets) or None,
        metrics=sorted({one.metric for one in public if one.metric in _HUB_METRICS}) or None,
        model_name=name.rpartition("/")[2],
        eval_results=[_result(one) for one in public] or None,
    )
    content = f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(_text(origin, name, licence)) + "\n"
    try:
        card = ModelCard(content)
        read = getattr(card.data, "eval_results", None) or []
    except (ValueError, TypeError, KeyError) as problem:
        raise UserError(f"The hub's library does not take the card: {problem}.") from problem
    assert len(read) == len(public)  # all of them are in the card's model-index
    return card


def _result(one: Measured) -> EvalResult:
    ends = {}
    if one.interval is not None:
        ends = {
            "interval_95_low": round(one.scale * one.interval[0], _DIGITS),
            "interval_95_high": round(one.scale * one.interval[1], _DIGITS),
        }
    return EvalResult(
        task_type=_TASK,
        task_name="Automatic speech recognition",
        dataset_type=one.dataset or "private",
        dataset_name=one.corpus,
        dataset_split=one.split,
        metric_type=one.metric,
        metric_name=f"{one.label}, text normaliser {one.normalizer}",
        metric_value=round(one.scale * one.value, _DIGITS),
        metric_args={"utterances": one.utterances, "normalizer": one.normalizer, **ends},
    )


def _text(origin: ModelOrigin, name: str, licence: str | None) -> Iterator[str]:
    short = name.rpartition("/")[2]
    yield f"# {short}\n"
    yield f"A speech recognizer of the family {origin.family}, {_size(origin)}."
    if origin.bases:
        yield f"Tuned from {', '.join(f'[{one}](https://hf.co/{one})' for one in origin.bases)}."
    yield "\n## Use\n"
    yield "```python\nimport mynah  # pip install mynah-asr\n"
    yield f'recognizer = mynah.load("{name}")'
    yield 'print(recognizer.transcribe("call.wav").text)\n```'
    yield from _rates(origin)
    yield from _training(origin)
    yield from _licences(origin, licence)
    yield "\n## What was checked\n"
    yield "- Every file has the checksum that it had when the training committed it."
    yield from _shared(origin)
    yield from _limits(origin)


def _size(origin: ModelOrigin) -> str:
    total = sum(row[1] for row in origin.parameters)
    trained = sum(row[2] for row in origin.parameters)
    if not total:
        return "of unknown size"
    stored = "LoRA matrices alone, loaded with their base" if origin.is_adapter else "all weights"
    return f"{total:,} parameters of which {trained:,} were trained; {stored}"


def _rates(origin: ModelOrigin) -> Iterator[str]:
    yield "\n## Error rates\n"
    if not origin.measured:
        yield "It was not measured."
        return
    yield "| corpus | split | utterances | metric | value [95 % interval] | base, untuned |"
    yield "|---|---|---:|---|---:|---:|"
    for one in origin.measured:
        value = f"{one.scale * one.value:.2f}"
        if one.interval is not None:
            low, high = (one.scale * end for end in one.interval)
            value += f" [{low:.2f}, {high:.2f}]"
        unit = " %" if one.percent else ""
        base = "" if one.baseline is None else f"{one.scale * one.baseline:.2f}"
        mark = " \\*" if one.needs_private else ""
        yield (
            f"| {one.corpus} | {one.split} | {one.utterances:,} | {one.label}{unit} | "
            f"{value}{mark} | {base} |"
        )
    for decoding in sorted({one.decoding for one in origin.measured if one.decoding}):
        yield f"\nDecoding: {decoding}."
    normalizers = sorted({one.normalizer for one in origin.measured})
    yield f"Text normaliser of both sides: {', '.join(normalizers)}."
    if any(one.needs_private for one in origin.measured):
        yield (
            "\n\\* With word n-grams, which are private and not in this repository: without them "
            "the rates are others, and these are not in the card's metadata."
        )


def _training(origin: ModelOrigin) -> Iterator[str]:
    yield "\n## Training\n"
    if origin.splits:
        yield f"On {origin.corpus or 'a corpus that is not known'}:\n"
        yield "| split | used to | utterances | hours |"
        yield "|---|---|---:|---:|"
        for one in origin.splits:
            use = "train" if one.trains else "measure"
            yield f"| {one.name} | {use} | {one.utterances:,} | {one.hours:.2f} |"
    else:
        yield "What it was trained on is not recorded."
    if origin.steps:
        yield f"\n{origin.steps:,} steps."
    if origin.command:
        yield f"\n```\n{origin.command}\n```"
    if origin.bases:
        commits = ", ".join(f"{name} at {commit[:12]}" for name, commit in origin.bases.items())
        yield f"\nBase: {commits}."
    if origin.versions:
        versions = ", ".join(f"{name} {one}" for name, one in origin.versions.items() if one)
        yield f"\nVersions: {versions}."


def _licences(origin: ModelOrigin, licence: str | None) -> Iterator[str]:
    yield "\n## Licences\n"
    yield f"- This model: {licence or 'its owner has not said'}."
    for what, one in origin.licences:
        yield f"- {what}: {one}."
    known = {what for what, _ in origin.licences}
    unknown = [name for name in (*origin.datasets, *origin.bases) if name not in known]
    for name in unknown:
        yield f"- {name}: see its page on the hub."


def _shared(origin: ModelOrigin) -> Iterator[str]:
    measured = [one for one in origin.splits if not one.trains]
    for one in measured:
        if one.shared is None:
            continue
        if not one.shared:
            yield f"- {one.name} shares no recording, sentence or known speaker with the training."
            continue
        found = ", ".join(f"{what} ({count} utterances)" for what, count in one.shared)
        yield f"- {one.name} shares with the training, and is easier for it: {found}."
    if origin.measured:
        yield "- Every measured utterance counts: one that cannot be decoded is an error."


def _limits(origin: ModelOrigin) -> Iterator[str]:
    yield "\n## What it cannot do\n"
    spoken = ", ".join(origin.languages) or "the language of its corpus"
    yield f"- It was tuned for {spoken}; nothing is known of others."
    if origin.sample_rate:
        yield f"- It takes audio of {origin.sample_rate:,} Hz; other rates are resampled."
    if origin.longest_seconds:
        yield (
            f"- It learned from utterances up to {origin.longest_seconds:g} s; longer recordings "
            "have to be cut where nobody speaks, as `mynah transcribe` does."
        )
    yield (
        "- Speakers, rooms, microphones and topics unlike those of its corpus were not measured: "
        "measure it on your own recordings first (`mynah eval`)."
    )
    if origin.has_ngrams:
        yield "- Word n-grams that it was decoded with are private, and not here."


def shown_results(origin: ModelOrigin) -> Sequence[str]:
    """The error rates that the card's metadata has, a line each."""
    return [
        f"{one.label} {one.scale * one.value:.2f} on {one.split} of {one.corpus}"
        for one in origin.measured
        if not one.needs_private
    ]
