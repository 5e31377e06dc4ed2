"""Who names a corpus names all of it, whichever layers of settings meet."""

from pathlib import Path

import pytest
from config_files import experiment

from mynah.config.checkpointed import MeasuringSettings, checkpoint_config, with_absolute_paths
from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.config.hydra.shown import job_yaml
from mynah.config.notices import notices
from mynah.config.schema import DataConfig
from mynah.errors import UserError

HERE = Path("/here")


def data(*arguments: str, **where) -> DataConfig:
    return compose(list(arguments), **where).config.data


def reported(*arguments: str, **where) -> list[str]:
    composed = compose(list(arguments), **where)
    return [text for text in notices(composed.config, composed.origins) if "corpus" in text]


def measured(folder: Path, trained: list[str], typed: list[str]) -> MeasuringSettings:
    """What a checkpoint that was trained with some arguments is measured with under others."""
    saved = with_absolute_paths(compose(trained).config, HERE)
    (folder / "config.yaml").write_text(effective_yaml(saved))
    composed = compose([f"eval_checkpoint={folder}", *typed])
    return checkpoint_config(folder, with_absolute_paths(composed.config, HERE), composed.origins)


AN4 = ["data=an4", "data.path=an4"]


# A checkpoint and what is typed


def test_a_corpus_that_is_named_is_measured_and_not_the_checkpoint_s(tmp_path):
    found = measured(tmp_path, AN4, ["data.dataset_name=mine.jsonl"]).config.data
    assert (found.dataset_name, found.path) == ("mine.jsonl", None)
    assert (found.eval_splits, found.format) == (["auto"], "auto")


def test_where_its_writer_kept_a_cache_is_not_taken_over_from_a_checkpoint(tmp_path):
    trained = [*AN4, "data.dataset_cache_dir=/elsewhere/cache", "data.num_proc=64"]
    found = measured(tmp_path, trained, []).config.data
    assert (found.dataset_cache_dir, found.num_proc) == (None, None)
    found = measured(tmp_path, trained, ["data.dataset_cache_dir=/here"]).config.data
    assert found.dataset_cache_dir == "/here"


def test_a_path_names_a_corpus_too(tmp_path):
    trained = ["data.dataset_name=/calls", "data.columns={text: sentence}", "data.language=de"]
    found = measured(tmp_path, trained, ["data.path=mine"]).config.data
    assert (found.path, found.columns, found.language) == ("/here/mine", {}, None)
    assert found.dataset_name != "/calls" and found.eval_splits == ["auto"]


def test_nothing_of_the_checkpoint_s_corpus_is_kept_beside_another(tmp_path):
    trained = [
        "data.dataset_name=owner/speech", "data.dataset_configs=[clean]", "data.revision=v1",
        "data.columns={text: sentence}", "data.audio_folders=[/audio]", "data.format=hub",
        "data.train_splits=[train.100]", "data.eval_splits=[dev]", "data.channels=split",
        "data.no_speech_texts=['<noise>']", "data.language=de", "data.max_audio_seconds=9",
    ]  # fmt: skip
    found = measured(tmp_path, trained, ["data.dataset_name=other/speech"]).config.data
    fresh = DataConfig(dataset_name="other/speech", eval_splits=["auto"])
    for name in (
        "dataset_name", "dataset_configs", "revision", "columns", "audio_folders", "format",
        "train_splits", "eval_splits", "channels", "no_speech_texts", "language",
    ):  # fmt: skip
        assert getattr(found, name) == getattr(fresh, name), name
    assert found.max_audio_seconds == 9  # a filter is not a part of a corpus's name


def test_what_is_typed_of_the_named_corpus_counts(tmp_path):
    typed = ["data.dataset_name=mine", "data.eval_splits=[dev]", "data.columns={text: words}"]
    found = measured(tmp_path, AN4, typed).config.data
    assert found.eval_splits == ["dev"] and found.columns == {"text": "words"}


def test_without_a_name_the_checkpoint_s_corpus_is_measured(tmp_path):
    found = measured(tmp_path, AN4, []).config.data
    assert (found.dataset_name, found.path, found.eval_splits) == ("an4", "/here/an4", ["test"])
    found = measured(tmp_path, AN4, ["data.eval_splits=[train]"]).config.data
    assert (found.dataset_name, found.path, found.eval_splits) == ("an4", "/here/an4", ["train"])


def test_the_same_name_again_is_the_same_corpus(tmp_path):
    found = measured(tmp_path, AN4, ["data.dataset_name=an4"]).config.data
    assert (found.path, found.eval_splits) == ("/here/an4", ["test"])


def test_a_group_that_names_a_corpus_names_all_of_it(tmp_path):
    found = measured(tmp_path, AN4, ["data=small"]).config.data
    assert (found.dataset_name, found.path) == ("synthetic", None)
    assert found.eval_splits == ["validation"]
    found = measured(tmp_path, [], ["data=an4", "data.path=a"]).config.data
    assert (found.dataset_name, found.path, found.eval_splits) == ("an4", "/here/a", ["test"])


def test_a_mixture_of_the_checkpoint_s_is_not_measured_beside_a_name(tmp_path):
    mixture = "data.mixture={a: {dataset_name: x/y}, b: {dataset_name: z/w}}"
    found = measured(tmp_path, [mixture], ["data.dataset_name=mine"]).config.data
    assert found.mixture == {} and found.dataset_name == "mine"


def test_a_stream_s_checkpoint_measures_another_corpus_from_its_table(tmp_path):
    trained = ["data.streaming=true", "data.dataset_name=a/b", "training.max_steps=50"]
    found = measured(tmp_path, trained, ["data.dataset_name=mine.jsonl"]).config.data
    assert not found.streaming


def test_how_much_a_training_measured_says_nothing_of_another_corpus(tmp_path):
    trained = [*AN4, "data.max_eval_samples=4", "data.filter_eval=true"]
    found = measured(tmp_path, trained, ["data.dataset_name=mine"]).config.data
    assert (found.max_eval_samples, found.filter_eval) == (None, False)
    assert measured(tmp_path, trained, []).config.data.max_eval_samples == 4


# Layers of one command


@pytest.fixture
def of_calls(tmp_path):
    """A folder with an experiment that names a corpus with all that describes it."""
    experiment(
        tmp_path,
        "data:\n"
        "  dataset_name: /calls\n"
        "  path: /where/calls/lie\n"
        "  columns: {text: sentence}\n"
        "  train_splits: [calls_train]\n"
        "  eval_splits: [calls_dev]\n"
        "  max_train_samples: 100\n",
        name="calls",
    )
    return tmp_path


def test_a_typed_name_takes_nothing_of_an_experiment_s_corpus(of_calls):
    line = ("+experiments=calls", "data.dataset_name=mine.jsonl")
    found = data(*line, config_dir=of_calls)
    assert (found.dataset_name, found.path, found.columns) == ("mine.jsonl", None, {})
    assert (found.train_splits, found.eval_splits) == (["train"], ["validation"])
    assert found.max_train_samples == 100  # how much is learned from is not whose it is
    (notice,) = reported(*line, config_dir=of_calls)
    named, _, rest = notice.partition(" of ")
    assert set(named.split(", ")) == {
        "data.path",
        "data.columns",
        "data.train_splits",
        "data.eval_splits",
    }
    assert rest == "experiments/calls.yaml are said of another corpus: the defaults are taken."


def test_what_is_typed_beside_the_name_is_taken(of_calls):
    found = data(
        "+experiments=calls", "data.dataset_name=mine", "data.eval_splits=[test]",
        config_dir=of_calls,
    )  # fmt: skip
    assert found.eval_splits == ["test"] and found.path is None


def test_an_experiment_without_another_name_is_one_corpus(of_calls):
    found = data("+experiments=calls", "data.eval_splits=[other]", config_dir=of_calls)
    assert (found.path, found.columns) == ("/where/calls/lie", {"text": "sentence"})
    assert (found.train_splits, found.eval_splits) == (["calls_train"], ["other"])
    assert not reported("+experiments=calls", config_dir=of_calls)


def test_a_typed_name_takes_nothing_of_a_group_s_corpus():
    found = data("data=full", "data.dataset_name=./calls")
    assert (found.dataset_configs, found.train_splits, found.language) == (None, ["train"], None)
    assert found.augmentation.speed_factors == [0.9, 1.0, 1.1]  # of the training, not the corpus
    (notice,) = reported("data=full", "data.dataset_name=./calls")
    assert "data/full.yaml" in notice and "data.dataset_configs" in notice


def test_a_typed_path_says_where_the_group_s_corpus_lies():
    found = data("data=an4", "data.path=an4")
    assert (found.dataset_name, found.eval_splits) == ("an4", ["test"])
    found = data("data=full", "data.path=LibriSpeech")
    assert found.train_splits == ["train.100", "train.360", "train.500"]
    assert not reported("data=an4", "data.path=an4") and not reported("data.path=calls")


def test_what_is_shown_is_what_is_taken():
    composed = compose(["data=full", "data.dataset_name=./calls"])
    page = job_yaml(composed, "data", resolve=False)
    assert "train.360" not in page and "dataset_configs: null" in page
    assert composed.origins["data.train_splits"].layer == "schema"


# The model


def test_what_an_experiment_says_of_the_model_does_not_apply_to_an_evaluation(tmp_path):
    found = measured(tmp_path, ["model=small"], ["+experiments=production"])
    assert found.config.model == compose(["model=small"]).config.model
    (notice,) = found.notices
    assert notice == (
        "The model is the checkpoint's: what model/large.yaml says of one does not apply."
    )


def test_a_group_s_decoding_is_that_of_its_own_model(tmp_path):
    trained = ["model=small", "model.language_model=none", "model.beam_size=3"]
    found = measured(tmp_path, trained, ["+experiments=test"]).config.model
    assert (found.language_model, found.beam_size) == ("none", 3)
    found = measured(tmp_path, trained, ["+experiments=test", "model.beam_size=5"]).config.model
    assert found.beam_size == 5


def test_a_model_setting_typed_by_itself_that_contradicts_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"model\.encoder\.layers=3 .* but it has"):
        measured(tmp_path, ["model=small"], ["+experiments=test", "model.encoder.layers=3"])
    with pytest.raises(UserError, match=r"data\.sample_rate=8000"):
        measured(tmp_path, ["model=small"], ["data.sample_rate=8000"])


def test_the_rate_is_the_checkpoint_s_whatever_a_data_group_says(tmp_path):
    found = measured(tmp_path, ["data.sample_rate=8000"], ["data=an4", "data.path=a"])
    assert found.config.data.sample_rate == 8000
    assert found.notices == [
        "The model is the checkpoint's: what data/an4.yaml says of one does not apply."
    ]


def test_the_checkpoint_s_own_experiment_says_nothing_new(tmp_path):
    assert measured(tmp_path, ["+experiments=test"], ["+experiments=test"]).notices == []


@pytest.mark.parametrize("layer", ["typed", "experiment"])
def test_a_name_that_is_said_again_names_no_other_corpus(layer, tmp_path):
    name = "data.dataset_name=openslr/librispeech_asr"
    if layer == "typed":
        made = compose(["data=full", name]).config.data
    else:
        folder = tmp_path / "experiments"
        folder.mkdir()
        (folder / "mine.yaml").write_text(
            "# @package _global_\ndefaults:\n  - override /data: full\n"
            "data:\n  dataset_name: openslr/librispeech_asr\n"
        )
        made = compose(["+experiments=mine"], config_dir=tmp_path).config.data
    assert (made.language, made.dataset_configs) == ("en", ["clean", "other"])
