"""Recordings of any length: no word is lost or written twice, whatever they are cut into."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from tiers import fast_where
from tone_reader import RATE, ToneReader, speech

from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.errors import UserError
from mynah.inference.long_form import Cutting, LongForm
from mynah.inference.recognizer import Recognizer
from mynah.inference.sound import Sound
from mynah.inference.voice_activity import LevelDetector
from mynah.models.transcript import Transcript

SENTENCES = ("call anna now", "ten minutes", "what is the time", "stop", "next song please")


@pytest.fixture(autouse=True)
def by_loudness(monkeypatch):
    """Tones are not speech to Silero VAD."""
    from mynah.inference import recognizer

    monkeypatch.setattr(recognizer, "detector", LevelDetector)


def recording(times: int, pause: float) -> tuple[np.ndarray, list[tuple[str, float]]]:
    parts: list[str | float] = [1.0]
    for number in range(times):
        parts += [SENTENCES[number % len(SENTENCES)], pause]
    return speech(*parts)


@pytest.mark.parametrize("tuned", [True, False])
@pytest.mark.parametrize("window", [4.0, 9.0])
def test_every_word_is_written_once_and_in_order(tuned, window):
    audio, words = recording(60, 0.7)
    made = Recognizer(ToneReader(window), name="tones", tuned=tuned).transcribe(audio, words=True)
    assert made.text.split() == [word for word, _ in words]
    starts = [word.start_seconds for word in made.words]
    assert starts == pytest.approx([start for _, start in words], abs=0.03)
    assert made.duration_seconds == pytest.approx(len(audio) / RATE)


def test_speech_without_a_pause_is_cut_in_windows_whose_words_are_joined():
    """0.08 s between words is not a pause, so that each window ends in the middle of something."""
    text = " ".join(f"{a}{b}{c}" for a in "abcdefg" for b in "hijkl" for c in "mno")
    audio, words = speech(text)
    reader = ToneReader(4.0)
    made = Recognizer(reader, name="tones").transcribe(audio, words=True)
    assert max(map(max, reader.heard)) <= 4.0 and len(audio) / RATE > 40
    wrong = sum(a != b for a, b in zip(made.text.split(), [w for w, _ in words], strict=True))
    assert wrong <= 2  # a word that a window's edge cuts on both sides
    assert [w.text for w in made.words] == made.text.split()


def test_a_tuned_model_is_given_clips_like_those_it_was_trained_on():
    audio, _ = recording(20, 0.7)
    tuned, untuned = ToneReader(9.0), ToneReader(9.0)
    Recognizer(tuned, name="tones", tuned=True).transcribe(audio)
    Recognizer(untuned, name="tones", tuned=False).transcribe(audio)
    assert sum(map(len, tuned.heard)) == 20
    assert sum(map(len, untuned.heard)) < 10
    assert all(seconds <= 0.9 * 9 + 0.1 for batch in untuned.heard for seconds in batch)


def cut_for(clips, audio, size=7 * RATE):
    blocks = (audio[at : at + size] for at in range(0, len(audio), size))
    long = LongForm(RATE, Cutting(20.0, clips=clips), LevelDetector(RATE))
    return list(long.pieces(blocks))


@pytest.mark.parametrize("pause", [0.3, 0.7])
def test_pieces_are_as_long_as_the_clips_of_the_training(pause):
    """Pauses of 0.3 s part them where there are no longer ones, and 0.45 s not where 0.7 s do."""
    inside = 0.45 if pause > 0.45 else 0.1
    parts = 30 * ["call anna", inside, "now", pause, "ten", inside, "minutes", pause]
    audio, words = speech(*parts)
    clip = len(audio) / RATE / 60 - pause + 0.4  # with a little silence around it
    pieces = cut_for(ClipLengths(clip, 2 * clip), audio)
    assert len(pieces) == 60
    firsts = [start for word, start in words if word in ("call", "ten")]
    assert [one.start_seconds for one in pieces] == pytest.approx(firsts, abs=0.3)


def test_a_stretch_longer_than_the_clips_is_cut_at_its_longest_pauses():
    audio, words = speech(*20 * ["call anna", 0.2, "now", 0.3, "ten minutes", 0.2, "stop", 2.0])
    starts = [start for word, start in words if word == "call"]
    long = words[-1][1] - starts[-1]
    # On average they may be as long as they are, but none as long as four phrases.
    pieces = cut_for(ClipLengths(0.8 * long, 0.8 * long), audio)
    tens = [start for word, start in words if word == "ten"]
    assert [one.start_seconds for one in pieces] == pytest.approx(sorted([*starts, *tens]), abs=0.3)


@pytest.mark.parametrize(("longest", "window"), [(6.0, 6.5), (1.0, 5.0), (90.0, 20.0)])
def test_sound_without_a_pause_is_cut_in_windows_of_the_clips_lengths(longest, window):
    """The longest clip with 0.25 s on both sides; 5 s at least, and the model's window at most."""
    audio = 0.3 * np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    *pieces, _ = cut_for(ClipLengths(1.0, longest), audio)
    seconds = [len(one.audio) / RATE for one in pieces]
    assert len(seconds) > 2 and seconds == pytest.approx([window] * len(seconds), abs=0.04)


def test_no_piece_holds_a_long_pause():
    audio, words = speech("call anna", 2.0, "stop", 5.0, "next song", 1.0)
    reader = ToneReader(20.0)
    recognizer = Recognizer(reader, name="tones", tuned=False)
    long = np.concatenate([audio, audio, audio])
    assert len(audio) / RATE < 20 < len(long) / RATE
    assert recognizer.transcribe(long).text.split() == 3 * [word for word, _ in words]
    assert sum(map(len, reader.heard)) == 4  # the three pauses of 5 s part them


def test_silence_is_not_decoded_and_counted():
    audio, _ = speech(2.0, "call anna", 30.0, "stop", 20.0, noise=1e-5)
    reader = ToneReader(5.0)
    made = Recognizer(reader, name="tones").transcribe(audio)
    assert made.text == "call anna stop"
    assert sum(map(sum, reader.heard)) < 5
    assert made.guarded.silent_seconds > 48


def test_an_hour_of_zeros_is_an_empty_transcript():
    made = Recognizer(ToneReader(5.0), name="tones").transcribe(np.zeros(3600 * RATE, np.float32))
    assert (made.text, made.segments) == ("", ())
    assert made.duration_seconds == 3600
    assert made.guarded.silent_seconds == pytest.approx(3600, abs=0.1)


@pytest.mark.parametrize("clips", [None, ClipLengths(2.0, 4.0)])
@pytest.mark.parametrize("block", fast_where(lambda block: block == 1000, [1000, RATE, 100 * RATE]))
def test_pieces_do_not_depend_on_the_blocks_in_which_a_file_is_read(block, clips):
    audio, _ = recording(300, 0.5)
    cutting = Cutting(5.0, clips=clips)

    def cut(size):
        blocks = (audio[at : at + size] for at in range(0, len(audio), size))
        long = LongForm(RATE, cutting, LevelDetector(RATE))
        return [(one.start_seconds, len(one.audio)) for one in long.pieces(blocks)]

    assert len(audio) / RATE > 300 and cut(block) == cut(7 * RATE)


def test_a_piece_is_the_sound_at_its_place():
    audio, _ = recording(40, 0.6)
    long = LongForm(RATE, Cutting(6.0), LevelDetector(RATE))
    pieces = list(long.pieces([audio[: len(audio) // 2], audio[len(audio) // 2 :]]))
    for piece in pieces:
        start = round(piece.start_seconds * RATE)
        assert np.array_equal(piece.audio, audio[start : start + len(piece.audio)])
    ends = [piece.start_seconds + len(piece.audio) / RATE for piece in pieces]
    assert all(a <= b.start_seconds for a, b in zip(ends, pieces[1:], strict=False))


@pytest.mark.parametrize("seconds", [3.0, 9.0])
def test_segments_come_as_they_are_decoded(seconds, tmp_path):
    """The recording's first piece is only noise to the model, and the last is there at the end."""
    audio, words = recording(30, 0.7)
    click = np.zeros(RATE, np.float32)
    click[RATE // 2 : RATE // 2 + 40] = 0.9
    soundfile.write(tmp_path / "talk.wav", np.concatenate([click, audio]), RATE, subtype="FLOAT")
    recognizer = Recognizer(ToneReader(seconds), name="tones")
    streamed = recognizer.stream_file(tmp_path / "talk.wav", words=True)
    first = next(streamed)
    decoded = sum(map(len, recognizer.family.heard))
    found = [first, *streamed]
    assert decoded < 5 < sum(map(len, recognizer.family.heard))
    text = " ".join(one.text for one in found).split()
    assert text[-len(words) :] == [word for word, _ in words]
    whole = recognizer.transcribe(tmp_path / "talk.wav", words=True)
    assert tuple(found) == whole.segments


def test_a_file_that_breaks_off_is_named_and_not_half_transcribed(tmp_path):
    audio, _ = recording(30, 0.7)
    soundfile.write(tmp_path / "talk.flac", audio, RATE)
    content = (tmp_path / "talk.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    recognizer = Recognizer(ToneReader(4.0), name="tones")
    made, after = recognizer.transcribe_many([tmp_path / "cut.flac", audio[: 3 * RATE]])
    assert made.error is not None and made.text == "" and after.error is None and after.text
    with pytest.raises(UserError, match="cannot be transcribed"):
        list(recognizer.stream_file(tmp_path / "cut.flac"))


@pytest.mark.parametrize("seconds", [3, 30])
@pytest.mark.parametrize("ending", ["ogg", "flac"])
def test_recordings_that_were_joined_to_a_file_are_not_left_out_in_silence(
    ending, seconds, tmp_path
):
    audio, _ = recording(30, 0.7)
    soundfile.write(tmp_path / f"talk.{ending}", audio[: seconds * RATE], RATE)
    content = (tmp_path / f"talk.{ending}").read_bytes()
    (tmp_path / f"twice.{ending}").write_bytes(2 * content)
    recognizer = Recognizer(ToneReader(4.0), name="tones")
    places = [tmp_path / f"twice.{ending}", 2 * content, tmp_path / f"talk.{ending}"]
    *joined, alone = recognizer.transcribe_many(places)
    assert all("goes on after the end" in (one.error or "") for one in joined)
    assert alone.error is None and alone.text
    with pytest.raises(UserError, match="goes on after the end"):
        list(recognizer.stream_file(2 * content))


def test_a_piece_that_cannot_be_decoded_costs_its_recording_alone():
    class Failing(ToneReader):
        def transcribe(self, clips):
            if any(len(clip.audio) == 12345 for clip in clips):
                raise RuntimeError("a matrix is singular\nat address 0")
            return super().transcribe(clips)

    audio, _ = speech(0.3, "call anna")
    made = list(Recognizer(Failing(), name="tones").transcribe_many([audio, audio[:12345], audio]))
    assert [one.text for one in made] == ["call anna", "", "call anna"]
    assert made[1].error == "RuntimeError: a matrix is singular"


def test_a_loop_in_a_piece_is_decoded_again_and_in_a_clip_only_counted():
    class Looping(ToneReader):
        """Repeats itself on whatever is longer than 2.7 seconds, as a tired decoder does."""

        def transcribe(self, clips):
            found = super().transcribe(clips)
            return [
                Transcript("and then " * 20) if len(clip.audio) > 2.7 * RATE else one
                for clip, one in zip(clips, found, strict=True)
            ]

    long, words = speech(*["call anna now please stop", 0.7] * 8)
    recognizer = Recognizer(Looping(5.0, name="seq2seq"), name="tones")
    made = recognizer.transcribe(long)
    assert made.text.split() == [word for word, _ in words]
    assert (made.guarded.loops_cut, made.guarded.loops_left) == (8, 0)
    clip = recognizer.transcribe(speech("call anna now please stop")[0])
    assert clip.text == "and then " * 20
    assert (clip.guarded.loops_cut, clip.guarded.loops_left) == (0, 1)


def test_texts_that_were_cut_are_counted_by_piece_but_not_loops():
    class Cut(ToneReader):
        """Has no room for more than two words of whatever is longer than 2.7 seconds."""

        def transcribe(self, clips):
            return [
                Transcript(" ".join(one.text.split()[:2]), is_cut=True)
                if len(clip.audio) > 2.7 * RATE
                else Transcript("and then " * 20, is_cut=True)
                if len(clip.audio) < RATE
                else one
                for clip, one in zip(clips, super().transcribe(clips), strict=True)
            ]

    recognizer = Recognizer(Cut(5.0, name="seq2seq"), name="tones")
    long, _ = speech(*["call anna now please stop", 0.7] * 3)
    assert recognizer.transcribe(long).guarded.texts_cut == 3
    clip = recognizer.transcribe(speech("call anna now please stop")[0])
    assert (clip.text, clip.guarded.texts_cut) == ("call anna", 1)
    assert clip.guarded.incomplete == ("text",)
    loop = recognizer.transcribe(speech("call")[0]).guarded
    assert (loop.texts_cut, loop.loops_left, loop.incomplete) == (0, 1, ())


@pytest.mark.parametrize("seconds", [3, 30])
def test_a_wav_file_that_is_cut_short_is_transcribed_up_to_there_and_that_is_counted(
    seconds, tmp_path
):
    audio, _ = recording(30, 0.7)
    soundfile.write(tmp_path / "talk.wav", audio[: seconds * RATE], RATE)
    content = (tmp_path / "talk.wav").read_bytes()
    cut, to_pipe = content[: len(content) // 2], bytearray(content)
    (tmp_path / "cut.wav").write_bytes(cut)
    at = content.index(b"data") + 4
    for unknown in (0, 0xFFFFFFFF):  # as writers to a pipe leave the size
        to_pipe[at : at + 4] = unknown.to_bytes(4, "little")
        recognizer = Recognizer(ToneReader(4.0), name="tones")
        places = [tmp_path / "cut.wav", cut, tmp_path / "talk.wav", bytes(to_pipe), audio[:RATE]]
        found = list(recognizer.transcribe_many(places))
        assert [one.guarded.cut_short for one in found] == [1, 1, 0, 0, 0]
    assert found[0].text and found[0].guarded.incomplete == ("recording",)
    streamed = recognizer.stream_file(tmp_path / "cut.wav")
    with pytest.raises(StopIteration) as end:
        while True:
            next(streamed)
    assert end.value.value.guarded.cut_short == 1


def test_a_piece_that_a_decoder_stopped_writing_early_is_continued():
    class Stopping(ToneReader):
        """Writes the first word alone of whatever is longer than seven seconds."""

        def transcribe(self, clips):
            found = super().transcribe(clips)
            return [
                Transcript(one.text.split()[0]) if len(clip.audio) > 7 * RATE else one
                for clip, one in zip(clips, found, strict=True)
            ]

    audio, words = speech(*["call anna now please stop", 0.7] * 12)
    made = Recognizer(Stopping(12.0, name="seq2seq"), name="tones", tuned=False).transcribe(audio)
    assert made.text.split() == [word for word, _ in words]
    assert made.guarded.stops_continued > 2
    frames = Recognizer(Stopping(12.0, name="ctc"), name="tones", tuned=False).transcribe(audio)
    assert frames.guarded.stops_continued == 0  # what follows frames does not stop


def test_samples_are_read_in_blocks_and_not_held_twice():
    """As a file is: what is cut of a recording stays small, however long it is."""
    audio = np.arange(10 * RATE, dtype=np.float32) / (10 * RATE)
    blocks = list(Sound(audio, RATE).open(RATE, 3 * RATE))
    assert [len(block) for block in blocks] == [3 * RATE, 3 * RATE, 3 * RATE, RATE]
    assert all(np.shares_memory(block, audio) for block in blocks)
    assert np.array_equal(np.concatenate(blocks), audio)
    assert np.shares_memory(Sound(audio, RATE).open(RATE, 10 * RATE), audio)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(bad):
    audio = np.zeros(RATE, np.float32)
    audio[[7, 9]] = bad, -bad
    with pytest.raises(ValueError, match="not numbers"):
        Sound(audio, RATE).open(RATE, RATE)
