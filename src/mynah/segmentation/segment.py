"""``mynah data segment``: long recordings with their transcripts to utterances to train on.

Recordings and transcripts -> posteriors -> alignment -> cuts -> scores -> a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.data.audio import files
from mynah.errors import UserError
from mynah.segmentation import utterance as reasons
from mynah.segmentation.aligning import aligned_text
from mynah.segmentation.aligning.aligned_text import Rules
from mynah.segmentation.aligning.model import Aligner, find_aligner
from mynah.segmentation.aligning.posteriors import PosteriorWindows, listen
from mynah.segmentation.channels import channels_of_speakers, on_one_channel, with_channels
from mynah.segmentation.inputs import LongRecording, find_long_recordings
from mynah.segmentation.output import SegmentedFolder
from mynah.segmentation.recording import Recording
from mynah.segmentation.summary import show_summary
from mynah.segmentation.timed import timed_utterances
from mynah.segmentation.transcript import WrittenTranscript, read_transcript
from mynah.segmentation.utterance import CutUtterance

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC

_METHOD = 3  # recordings are cut again where this changes
_Segmented = list[tuple[LongRecording, list[CutUtterance]]]


@dataclass(frozen=True)
class SegmentationRequest:
    """What is to be cut, and how.

    Attributes:
        source: An audio file, or a folder of recordings with their transcripts.
        to: The folder to write.
        model: A checkpoint or a hub name; None: times are in the transcripts.
        revision: Branch, tag or commit of a hub model.
        text: The transcript, where it does not lie beside the recording.
        tiers: The tiers of a TextGrid that are meant.
        language: ISO 639-1 code written beside each utterance, or "".
        write_audio: Write each utterance as a file, and refer to no part of a recording.
        skip_missing: Pass over recordings that have no transcript.
        offline: Use nothing that is not on this machine.
        rules: What makes an utterance good.
        windows: The windows in which a recording is encoded.
    """

    source: Path
    to: Path
    model: str | None = None
    revision: str | None = None
    text: Path | None = None
    tiers: Sequence[str] = ()
    language: str = ""
    write_audio: bool = False
    skip_missing: bool = False
    offline: bool = False
    rules: Rules = Rules()
    windows: PosteriorWindows = PosteriorWindows()


def segment(request: SegmentationRequest, working_directory: Path) -> _Segmented:
    """Cut all recordings; those that were cut in the same way before are passed over.

    Returns:
        The recordings with their utterances, rejected ones too.

    Raises:
        UserError: Anything that is the user's to fix, before a model is loaded.
    """
    source = (working_directory / request.source.expanduser()).resolve()
    to = (working_directory / request.to.expanduser()).resolve()
    text = None if request.text is None else working_directory / request.text.expanduser()
    folder = SegmentedFolder(to, source, language=request.language, write_audio=request.write_audio)
    folder.check()
    recordings = find_long_recordings(
        source, text=text, tiers=request.tiers, skip_missing=request.skip_missing, leave_out=to
    )
    aligner = _aligner(request, recordings, working_directory)
    folder.start(_settings(request, aligner))
    found: dict[str, list[CutUtterance]] = {}
    fingerprints = {one.name: _fingerprint(one, request, aligner) for one in recordings}
    for one in recordings:
        done = folder.done(one, fingerprints[one.name])
        if done is not None:
            found[one.name] = done
    waiting = [one for one in recordings if one.name not in found]
    if found:
        console.say(f"{len(found)} of {len(recordings)} recordings are done already.")
    _say_annotations(waiting)
    try:
        if waiting:
            family = aligner.load() if aligner and any(r.has_transcript for r in waiting) else None
            with console.progress("Segmenting", _total_seconds(waiting), "s") as advance:
                for one in waiting:
                    cut = _utterances(one, family, request, advance)
                    folder.add(one, fingerprints[one.name], cut)
                    found[one.name] = cut
    finally:
        segmented = [(one, found[one.name]) for one in recordings if one.name in found]
        folder.write_listings(segmented)
    show_summary(segmented, to)
    return segmented


def _aligner(
    request: SegmentationRequest, recordings: Sequence[LongRecording], working_directory: Path
) -> Aligner | None:
    if request.model is not None:
        return find_aligner(
            request.model,
            working_directory,
            revision=request.revision,
            offline=request.offline,
        )
    untimed = [one for one in recordings if one.transcript is not None]
    if untimed:
        raise UserError(
            f"A transcript without times needs a model to align it: {untimed[0].path.name}"
            + (f" and {len(untimed) - 1} more." if len(untimed) > 1 else "."),
            where=str(request.source),
            fix="--model CHECKPOINT, or --model facebook/wav2vec2-base-960h (any CTC model of "
            "the language)",
        )
    return None


def _settings(request: SegmentationRequest, aligner: Aligner | None) -> dict[str, object]:
    """What the utterances of a recording depend on, for people and for fingerprints."""
    rules, windows = request.rules, request.windows
    return {
        "method": _METHOD,
        "model": aligner.identity if aligner else None,
        # By names of their own, and not by those of attributes, which may be renamed.
        "rules": {
            "least_score": rules.least_score,
            "lengths": {
                "least_seconds": rules.lengths.least_seconds,
                "most_seconds": rules.lengths.most_seconds,
            },
            "pause": {
                "least_seconds": rules.pause.least_seconds,
                "padding_seconds": rules.pause.padding_seconds,
            },
            "skip_cost": rules.skip_cost,
            "star_cost": rules.star_cost,
        },
        "windows": {
            "seconds": windows.seconds,
            "context_seconds": windows.context_seconds,
            "batch": windows.batch,
        },
        "write_audio": request.write_audio,
    }


def _fingerprint(one: LongRecording, request: SegmentationRequest, aligner: Aligner | None) -> str:
    status = one.path.stat()
    of = [_settings(request, aligner), str(one.path), status.st_size, status.st_mtime_ns]
    text = json.dumps([*of, one.digest], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _total_seconds(recordings: Sequence[LongRecording]) -> int | None:
    """Length of all recordings, or None where a header does not tell."""
    total = 0.0
    for one in recordings:
        try:
            seconds = files.probe(one.path).duration_seconds
        except (ValueError, OSError):
            continue  # named as unreadable when its turn comes
        if seconds is None:
            return None
        total += seconds
    return round(total)


def _say_annotations(recordings: Sequence[LongRecording]) -> None:
    count = sum(one.transcript.annotations for one in recordings if one.transcript)
    count += sum(one.timed.annotations for one in recordings if one.timed)
    if count:
        console.notice(
            f"{count} annotations in brackets, as [laughter], are left out of the transcripts."
        )


def _utterances(
    one: LongRecording,
    family: CTC | None,
    request: SegmentationRequest,
    advance: Callable[[float], None],
) -> list[CutUtterance]:
    """The utterances of one recording; one that cannot be read is a single rejected one."""
    recording = Recording(one.path)
    try:
        if not one.has_transcript:
            seconds = recording.duration_seconds
            advance(seconds)
            return [CutUtterance(0.0, seconds, "", rejected=reasons.NO_TRANSCRIPT)]
        if one.transcript is not None:
            assert family is not None
            found = _aligned(recording, one.transcript, family, request, advance)
            return on_one_channel(found, one.path)
        return _timed(recording, one, family, request, advance)
    except (ValueError, OSError) as problem:
        return [CutUtterance(0.0, 0.0, "", rejected=reasons.UNREADABLE, detail=str(problem))]


def _aligned(
    recording: Recording,
    transcript: WrittenTranscript,
    family: CTC,
    request: SegmentationRequest,
    advance: Callable[[float], None] | None = None,
    *,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    uncut: bool = False,
) -> list[CutUtterance]:
    """Align a stretch of a recording; ``uncut``: score it, and cut it nowhere."""
    from mynah.segmentation.aligning.labels import WordTokenizer

    tokenizer = WordTokenizer(family)
    word_labels = tokenizer.tokenize_all(word.text for word in transcript.words)
    stretch = listen(
        recording,
        family,
        aligned_text.used_labels(word_labels),
        separators=tokenizer.separators,
        star_cost=request.rules.star_cost,
        windows=request.windows,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        advance=advance,
    )
    if uncut:
        return [aligned_text.scored(transcript, word_labels, stretch, request.rules)]
    if recording.channel is not None:
        return aligned_text.utterances(transcript, word_labels, stretch, request.rules)
    return aligned_text.utterances(
        transcript,
        word_labels,
        stretch,
        request.rules,
        partial(channels_of_speakers, recording.path),
    )


def _timed(
    recording: Recording,
    one: LongRecording,
    family: CTC | None,
    request: SegmentationRequest,
    advance: Callable[[float], None],
) -> list[CutUtterance]:
    """Utterances whose times are known; with a model they are scored, and cut if too long."""
    assert one.timed is not None
    channels = files.probe(one.path).channels
    seconds = recording.duration_seconds
    timed = with_channels(one.timed, one.path, seconds)
    found = timed_utterances(timed, seconds, channels, request.rules)
    if timed is not one.timed:
        found = on_one_channel(found, one.path)
    made: list[CutUtterance] = []
    reached = 0.0
    for each in found:
        if family is None or (each.rejected and each.rejected != reasons.TOO_LONG):
            made.append(each)
        else:
            pieces = _aligned(
                Recording(one.path, each.channel),
                read_transcript(each.text),
                family,
                request,
                start_seconds=each.start_seconds,
                end_seconds=each.end_seconds,
                uncut=not each.rejected,
            )
            made += [replace(p, speaker=each.speaker, channel=each.channel) for p in pieces]
        if each.end_seconds > reached:
            advance(min(seconds, each.end_seconds) - reached)
            reached = each.end_seconds
    return made
