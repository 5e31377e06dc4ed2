"""The fields of a transcription request (platform.openai.com, "Create transcription")."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from mynah.serving.answers import ANSWER_FORMATS
from mynah.serving.problems import Refused, bad_field

_GRANULARITIES = ("segment", "word")
_NO_EFFECT = {"chunking_strategy": ("auto", "server_vad")}  # long recordings are always cut


@dataclass(frozen=True)
class Fields:
    """What a client asks for.

    Attributes:
        model: The name it gives.
        language: ISO 639-1 code; None: not said.
        prompt: Names and terms that may be said; "" where there are none.
        format: One of ``answers.ANSWER_FORMATS``.
        granularities: ``segment`` and ``word``, what verbose_json has times of.
        is_streamed: Whether segments are to come as they are decoded.
    """

    model: str
    language: str | None
    prompt: str
    format: str
    granularities: frozenset[str]
    is_streamed: bool


def read_fields(form: FormData) -> Fields:
    """The fields of a form.

    Raises:
        Refused: One is missing, or asks for what there is not.
    """
    model = _text(form, "model")
    if not model:
        raise Refused(400, "missing_model", "The field 'model' has to name a model.", param="model")
    format = _text(form, "response_format") or "json"
    if format not in ANSWER_FORMATS:
        raise bad_field(
            "response_format", f"response_format is one of {', '.join(ANSWER_FORMATS)}."
        )
    granularities = [
        *_texts(form, "timestamp_granularities[]"),
        *_texts(form, "timestamp_granularities"),
    ]
    if unknown := set(granularities) - set(_GRANULARITIES):
        raise bad_field(
            "timestamp_granularities[]",
            f"timestamp_granularities are segment and word, not {min(unknown)[:40]!r}.",
        )
    if granularities and format != "verbose_json":
        raise bad_field(
            "timestamp_granularities[]",
            "timestamp_granularities need response_format verbose_json.",
        )
    is_streamed = _flag(form, "stream")
    if is_streamed and format not in ("json", "text"):
        raise bad_field("stream", "A stream has response_format json or text.")
    _check_decoding(form)
    return Fields(
        model,
        _text(form, "language").lower() or None,
        _text(form, "prompt"),
        format,
        frozenset(granularities or ["segment"]),
        is_streamed,
    )


def _check_decoding(form: FormData) -> None:
    """Refuse what would have no effect and is not asked for by mistake.

    Raises:
        Refused: A field asks for another decoding than the one that was measured.
    """
    temperature = _text(form, "temperature") or "0"
    try:
        is_zero = float(temperature) == 0
    except ValueError:
        is_zero = False
    if not is_zero:
        raise bad_field(
            "temperature", "Nothing is sampled here: leave temperature out, or set it to 0."
        )
    if _texts(form, "include[]") or _texts(form, "include"):
        raise bad_field("include[]", "There is nothing to include: leave it out.")
    for name, known in _NO_EFFECT.items():
        text = _text(form, name)
        if text and not any(one in text for one in known):
            raise bad_field(name, f"{name} is auto, or left out.")


def _text(form: FormData, name: str) -> str:
    found = form.get(name)
    if isinstance(found, UploadFile):
        raise bad_field(name, f"The field {name!r} is text, and not a file.")
    return (found or "").strip()


def _texts(form: FormData, name: str) -> list[str]:
    return [one for one in form.getlist(name) if isinstance(one, str)]


def _flag(form: FormData, name: str) -> bool:
    text = _text(form, name).lower()
    if text not in ("", "true", "false", "1", "0"):
        raise bad_field(name, f"{name} is true or false.")
    return text in ("true", "1")
