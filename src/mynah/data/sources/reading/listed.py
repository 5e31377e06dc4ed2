"""Rows out of a listing's fields: what folders, NeMo's manifests and others share."""

from __future__ import annotations

from typing import Any

from mynah.data.row import Row
from mynah.data.sources.reading import values
from mynah.data.sources.reading.channels import split_row
from mynah.data.sources.reading.metadata import OTHERS
from mynah.errors import UserError


def rows_of(
    listed: dict[str, Any],
    *,
    where: str,
    path: str | None,
    name: str,
    source: str,
    channels: str = "mix",
    cuts: bool = False,
    byte_offset: int | None = None,
    byte_length: int | None = None,
    content: bytes | None = None,
) -> list[Row]:
    """The row of a line; several where it has a transcript for each channel.

    Args:
        listed: Values by our names (:data:`mynah.data.sources.reading.metadata.HEADERS`).
        where: File and line, for errors.
        path: The recording, or the shard that holds it.
        name: What it is called where the listing has no ``id``.
        source: Where it comes from, for people.
        channels: ``data.channels``, which says what becomes of transcripts by channel.
        cuts: Whether a duration cuts even without an offset; else it only tells how long the
            recording is.
        byte_offset: Where the recording begins in its shard.
        byte_length: How many bytes it has there.
        content: The recording itself.

    Raises:
        UserError: A value is not what its column is for.
    """
    offset, duration = stretch(listed, where, cuts)
    language = values.text(listed.get("language"), "language", where)
    by_channel = _is_by_channel(listed)
    row = Row(
        id=values.text(listed.get("id", name), "id", where),
        path=path,
        audio=content,
        byte_offset=byte_offset,
        byte_length=byte_length,
        offset_seconds=offset,
        duration_seconds=duration or None,
        speaker=values.text(listed.get("speaker"), "speaker", where),
        language=language,
        context=values.terms(listed.get("context"), "context", where),
        source=source,
        no_speech=values.truth(listed.get("no_speech"), "no_speech", where),
        columns=listed.get(OTHERS, ""),
        text=None if by_channel else _words(listed.get("text"), where),
        channel=None
        if by_channel or "channel" not in listed
        else values.channel(listed["channel"], where),
    )
    if by_channel:
        return _rows_by_channel(row, _texts_by_channel(listed, where), listed, channels, where)
    return [row]


def stretch(listed: dict[str, Any], where: str, cuts: bool) -> tuple[float, float | None]:
    """Where the utterance begins in its recording, and how long it is: seconds; None: to its end.

    Args:
        listed: Values by our names.
        where: File and line, for errors.
        cuts: Whether a duration cuts even without an offset.

    Raises:
        UserError: A value is not a time, or the utterance does not end after it begins.
    """
    offset = 0.0
    if "offset_seconds" in listed:
        offset = values.seconds(listed["offset_seconds"], "offset", where)
    if "end_seconds" in listed:
        if "offset_seconds" not in listed:
            raise UserError("The utterance has an end and no begin.", where=where)
        end = values.seconds(listed["end_seconds"], "end", where)
        return offset, values.piece(offset, end, where)
    if "duration_seconds" in listed and ("offset_seconds" in listed or cuts):
        return offset, values.seconds(listed["duration_seconds"], "duration", where)
    return offset, None


def _rows_by_channel(
    row: Row, texts: list[str | None], listed: dict[str, Any], channels: str, where: str
) -> list[Row]:
    speakers = [
        values.text(listed.get(f"speaker_{number}", row.speaker), "speaker", where)
        for number in range(len(texts))
    ]
    if channels == "split":
        return split_row(row, texts, speakers)
    if channels == "mix":
        raise UserError(
            "The listing has a transcript for each channel, and channels are to be mixed.",
            where=f"{where}, data.channels=mix",
            fix="data.channels=split, or data.channels=first",
        )
    return split_row(row, texts[:1], speakers)


def _is_by_channel(listed: dict[str, Any]) -> bool:
    """Whether a line has a transcript for each channel, and not one for all."""
    return isinstance(listed.get("text"), list) or "text_0" in listed or "text_1" in listed


def _texts_by_channel(listed: dict[str, Any], where: str) -> list[str | None]:
    """The transcript of each channel."""
    held = listed.get("text")
    parts = held if isinstance(held, list) else [listed.get("text_0"), listed.get("text_1")]
    return [_words(part, where) for part in parts]


def _words(value: Any, where: str) -> str | None:
    """A transcript with single spaces; None where there is none."""
    return " ".join(values.text(value, "transcript", where).split()) or None
