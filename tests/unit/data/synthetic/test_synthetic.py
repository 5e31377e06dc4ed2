"""The embedded corpus: its voices, its sound, its cache, and its statement about itself."""

import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest
from data_helpers import settings

from mynah.config.schema import SynthesisConfig
from mynah.data.preparation.prepare import prepare
from mynah.data.sources import synthetic
from mynah.data.synthetic import espeak
from mynah.errors import UserError

pytest.importorskip("espeakng_loader")


def small(tmp_path, **changed):
    sizes = SynthesisConfig(train_sentences=8, eval_sentences=4)
    return settings(tmp_path, synthesis=sizes, **changed)


def test_evaluation_shares_no_voice_no_variant_and_not_every_accent_with_training():
    train = [voice.partition("+") for voice in espeak.TRAIN_VOICES]
    evaluation = [voice.partition("+") for voice in espeak.EVALUATION_VOICES]
    assert not set(espeak.TRAIN_VOICES) & set(espeak.EVALUATION_VOICES)
    assert not {part[2] for part in train} & {part[2] for part in evaluation}
    assert {part[0] for part in evaluation} - {part[0] for part in train}


@pytest.mark.parametrize("voice", [*espeak.TRAIN_VOICES, *espeak.EVALUATION_VOICES])
def test_every_voice_is_there_and_sounds_like_no_other(voice):
    speech = espeak.espeak().speak("hello my friend", voice, 170, 50)
    plain = espeak.espeak().speak("hello my friend", "en-us", 170, 50)
    assert 0.4 < len(speech) / espeak.espeak().sample_rate < 3
    assert (
        voice == "en-us" or len(speech) != len(plain) or not np.allclose(speech, plain, atol=0.05)
    )


def test_a_voice_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no voice"):
        espeak.espeak().speak("hello", "xx-nowhere", 170, 50)


def test_rate_and_pitch_do_what_they_say():
    def speech(rate: int, pitch: int) -> np.ndarray:
        return espeak.espeak().speak("one two three four five six", "en-us+m3", rate, pitch)

    def hertz(audio: np.ndarray) -> float:
        """The pitch: the lag at which the loudest half second is most like itself."""
        centre = int(np.abs(audio).argmax())
        piece = audio[max(centre - 2000, 0) : centre + 2000]
        like = np.correlate(piece, piece, "full")[len(piece) - 1 :]
        return 22050 / (60 + like[60:400].argmax())

    assert len(speech(140, 50)) > 1.2 * len(speech(190, 50))
    assert hertz(speech(160, 80)) > 1.2 * hertz(speech(160, 20))


def test_a_recording_has_the_level_the_silence_and_the_noise_that_were_sampled():
    spoken = espeak.Spoken("x", "turn on the lights", "en-us+m1", 160, 50, None, 5)
    quiet = espeak.record_speech(spoken, 16000)
    noisy = espeak.record_speech(
        espeak.Spoken("x", "turn on the lights", "en-us+m1", 160, 50, 10.0, 5), 16000
    )
    assert quiet.dtype == np.float32 and np.abs(quiet).max() < 1
    assert np.abs(quiet[:700]).max() < 1e-6 < np.abs(noisy[:700]).max()
    speech = quiet[np.abs(quiet) > 1e-3]
    assert -30 < 20 * np.log10(np.sqrt(np.mean(speech**2))) < -15
    length = min(len(quiet), len(noisy))
    added = noisy[:700]
    ratio = 10 * np.log10(np.mean(quiet[:length] ** 2) / np.mean(added**2))
    assert ratio == pytest.approx(10, abs=3)


def test_the_plan_is_a_function_of_the_settings():
    plan = synthetic.plan("train", SynthesisConfig(train_sentences=60))
    assert plan == synthetic.plan("train", SynthesisConfig(train_sentences=60))
    assert plan[:20] == synthetic.plan("train", SynthesisConfig(train_sentences=20))
    assert plan != synthetic.plan("train", SynthesisConfig(train_sentences=60, seed=1))
    assert {one.voice for one in plan} == set(espeak.TRAIN_VOICES)
    assert len({one.rate for one in plan}) > 10 and len({one.pitch for one in plan}) > 10
    assert all(20 <= one.snr_db <= 40 for one in plan)


@pytest.fixture(scope="module")
def spoken_once(tmp_path_factory):
    """A folder with a prepared small corpus, for tests to copy, and its report."""
    folder = tmp_path_factory.mktemp("spoken")
    return folder, prepare(small(folder), working_directory=folder).report


def test_the_same_settings_give_the_same_recordings_on_another_day(tmp_path, spoken_once):
    again = prepare(small(tmp_path, num_proc=1), working_directory=tmp_path)
    assert again.report["fingerprints"] == spoken_once[1]["fingerprints"]


def test_a_prepared_corpus_is_not_spoken_again(tmp_path, spoken_once, monkeypatch):
    shutil.copytree(spoken_once[0] / "cache", tmp_path / "cache")
    monkeypatch.setattr(synthetic, "_speak", None)  # calling it would fail
    assert prepare(small(tmp_path), working_directory=tmp_path).report == spoken_once[1]


def test_a_preparation_that_was_killed_resumes_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synthetic, "_SHARD_SENTENCES", 4)
    speak, spoken = synthetic._speak, []

    def stop_after_one(split, parts, *others):
        speak(split, {0: parts[0]}, *others)
        raise KeyboardInterrupt

    def note(split, parts, *others):
        spoken.append((split, sorted(parts)))
        speak(split, parts, *others)

    monkeypatch.setattr(synthetic, "_speak", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        prepare(small(tmp_path), working_directory=tmp_path)
    kept = next((tmp_path / "cache").glob("*.partial/shard-00000.arrow")).stat()
    # What a kill in the middle of a shard leaves behind
    (next((tmp_path / "cache").glob("*.partial")) / ".shard-00001.arrow.1-1.writing").write_bytes(
        b"half"
    )

    monkeypatch.setattr(synthetic, "_speak", note)
    resumed = prepare(small(tmp_path), working_directory=tmp_path)
    assert spoken == [("train", [1]), ("validation", [0])]
    now = next((tmp_path / "cache").glob("synthetic-train-*/shard-00000.arrow")).stat()
    assert (now.st_ino, now.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert not list((tmp_path / "cache").rglob("*.writing"))
    plan = synthetic.plan("train", SynthesisConfig(train_sentences=8))
    assert resumed.train.texts == [one.text for one in plan]
    assert "interrupted preparation" in capsys.readouterr().out


def test_a_cache_cut_short_is_made_again_and_that_is_said(tmp_path, spoken_once, capsys):
    shutil.copytree(spoken_once[0] / "cache", tmp_path / "cache")
    shard = next((tmp_path / "cache").glob("synthetic-train-*/shard-00000.arrow"))
    shard.write_bytes(shard.read_bytes()[:-3000])
    again = prepare(small(tmp_path), working_directory=tmp_path)
    assert "cut short" in capsys.readouterr().out
    assert again.report["fingerprints"] == spoken_once[1]["fingerprints"]


def test_the_statement_counts_what_the_two_parts_share(tmp_path):
    config = small(tmp_path)
    config.synthesis = SynthesisConfig(train_sentences=8, eval_sentences=480)
    source = synthetic.SyntheticSource(
        config, synthetic.Place(tmp_path, tmp_path, None, 1, offline=True)
    )
    statement = source.statement()
    assert statement["sentences"] == 480 and statement["word_types"] >= 1000
    assert statement["voices_shared_with_training"] == 0
    assert statement["sentences_shared_with_training"] == 0
    assert 0 < statement["share_of_words_never_in_training"] < 1
    assert "480 sentences" in statement["text"] and "0 of the sentences" in statement["text"]


def test_no_more_is_spoken_than_is_kept(tmp_path, monkeypatch):
    asked = {}

    def note(split, parts, *others):
        asked[split] = sum(len(part) for part in parts.values())
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_speak", note)
    config = small(tmp_path, max_train_samples=3, max_eval_samples=2)
    for train in (True, False):
        with pytest.raises(KeyboardInterrupt):
            prepare(config, working_directory=tmp_path, train=train)
    assert asked == {"train": 3, "validation": 2}


def test_a_missing_espeak_library_says_what_to_install(tmp_path, monkeypatch):
    espeak.espeak.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError) as caught:
        prepare(small(tmp_path), working_directory=tmp_path)
    assert "pip install 'mynah-asr[speech]'" in str(caught.value)


def test_a_speaking_process_that_fails_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "_environment", lambda: {"PATH": "", "PYTHONPATH": "/nowhere"})
    monkeypatch.setattr(synthetic.sys, "executable", sys.executable)
    plan = synthetic.plan("train", SynthesisConfig(train_sentences=1))
    broken = [espeak.Spoken(**{**vars(plan[0]), "voice": "xx-nowhere"})]
    with pytest.raises(UserError, match="no voice xx-nowhere"):
        synthetic._speak("train", {0: broken}, tmp_path, 16000, 1)
    assert not list(tmp_path.glob("*.arrow"))


def test_the_speaking_process_imports_neither_torch_nor_datasets():
    code = (
        "import sys, mynah.data.sources.synthetic; "
        "sys.exit(bool({'torch', 'datasets', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_telephone_leaves_300_to_3400_hertz_and_a_g711_codec_of_each_kind():
    config = SynthesisConfig(domain="heating", channel="telephone", train_sentences=40)
    plan = synthetic.plan("train", config)
    assert {one.codec for one in plan} == {"mu-law", "a-law"}
    wide = synthetic.plan("train", SynthesisConfig(domain="heating", train_sentences=40))
    assert [dataclasses.replace(one, codec=None) for one in plan] == wide
    for one, rest in ((plan[0], wide[0]), (plan[1], wide[1])):
        heard, spoken = (espeak.record_speech(kind, 16000) for kind in (one, rest))
        power = np.abs(np.fft.rfft(heard, 16000)) ** 2  # a bin is a hertz
        assert power[3600:].sum() + power[:200].sum() < 0.01 * power.sum()
        above = np.abs(np.fft.rfft(spoken, 16000)) ** 2
        assert above[3600:].sum() > 10 * power[3600:].sum()
        # espeak itself says the same sentence a little longer or shorter the next time
        assert len(heard) == pytest.approx(len(spoken), rel=0.01)
