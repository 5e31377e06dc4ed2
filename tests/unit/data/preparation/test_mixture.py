"""Several corpora as one: shares, repeats, limits, names, and the settings that say so."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from data_helpers import settings, write_folder
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from mynah.cli.main import main
from mynah.config.hydra.compose import compose
from mynah.config.schema import MixtureEntry
from mynah.data.preparation.mixture import repeats, shares
from mynah.data.preparation.prepare import prepare
from mynah.errors import ConfigErrors

HOURS = st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1000), min_size=1)


@property_settings(max_examples=100, deadline=None)
@given(hours=HOURS, temperature=st.floats(1, 100))
def test_an_epoch_stays_as_long_as_everything_once(hours, temperature):
    share = shares(hours, dict.fromkeys(hours), temperature)
    each = repeats(hours, share)
    sampled = {name: each[name] * length for name, length in hours.items()}
    total = sum(hours.values())
    assert sum(share.values()) == pytest.approx(1)
    assert sum(sampled.values()) == pytest.approx(total)
    for name, length in sampled.items():
        assert length / total == pytest.approx(share[name])
        wanted = hours[name] ** (1 / temperature)
        assert share[name] == pytest.approx(
            wanted / sum(h ** (1 / temperature) for h in hours.values())
        )


def test_weights_are_shares_whatever_the_sizes():
    share = shares({"small": 1.0, "large": 99.0}, {"small": 1, "large": 3}, 1.0)
    assert share == {"small": 0.25, "large": 0.75}
    assert repeats({"small": 1.0, "large": 99.0}, share) == {"small": 25.0, "large": 75 / 99}


def sources(tmp_path: Path, **changed):
    """Two folders, of 12 and 4 recordings, and the mixture of them."""
    for name, count in (("calls", 12), ("talks", 4)):
        rows = [(f"{n}.wav", f"{name} {n}", f"s{n % 4}") for n in range(count)]
        write_folder(tmp_path / name, rows)
    mixture = {
        "calls": MixtureEntry(dataset_name="calls", language="en", eval_splits=None),
        "talks": {"path": "talks", "eval_splits": []},
    }
    return settings(tmp_path, mixture=mixture, **changed)


def test_rows_keep_their_source_and_ids_are_unique(tmp_path, capsys):
    data = prepare(sources(tmp_path), working_directory=tmp_path)
    held = data.evaluation["calls.held_out"]
    assert list(data.evaluation) == ["calls.held_out"]
    assert len(data.train) + len(held) == 16
    assert len(set(data.train.ids)) == len(data.train)
    assert set(data.train.sources) == {"calls", "talks"}
    assert "talks/0.wav" in data.train.ids
    assert [data.train[row].language for row in (0, len(data.train) - 1)] == ["en", ""]
    assert data.train.repeats is None  # as much of each as there is
    assert set(held.sources) == {"calls"} and not set(held.speakers) & {
        speaker
        for speaker, source in zip(data.train.speakers, data.train.sources, strict=True)
        if source == "calls"
    }
    assert "Training on 2 sources" in capsys.readouterr().out


def test_weights_become_repeats_and_stand_in_the_report(tmp_path):
    config = sources(tmp_path)
    config.mixture["calls"] = dataclasses.replace(config.mixture["calls"], weight=1.0)
    config.mixture["talks"]["weight"] = 3
    data = prepare(config, working_directory=tmp_path)
    corpus = data.train
    sampled = corpus.repeats * corpus.durations
    talks = np.asarray([source == "talks" for source in corpus.sources])
    assert sampled[talks].sum() / sampled.sum() == pytest.approx(0.75)
    assert sampled.sum() == pytest.approx(corpus.durations.sum())
    reported = data.report["mixture"]["sources"]
    assert reported["talks"]["share"] == 0.75 and reported["talks"]["utterances"] == 4
    again = prepare(config, working_directory=tmp_path)
    assert np.array_equal(again.train.repeats, corpus.repeats)
    config.mixture["talks"]["weight"] = 4
    other = prepare(config, working_directory=tmp_path)
    assert other.train.fingerprint != corpus.fingerprint == again.train.fingerprint


def test_a_source_gives_no_more_than_its_limits(tmp_path):
    config = sources(tmp_path)
    config.mixture["calls"] = MixtureEntry(
        dataset_name="calls", eval_splits=[], max_train_samples=5
    )
    config.mixture["talks"]["max_train_hours"] = 1.3 / 3600
    data = prepare(config, working_directory=tmp_path)
    reported = data.report["mixture"]["sources"]
    assert reported["calls"]["utterances"] == 5
    assert 1 <= reported["talks"]["utterances"] <= 2 and reported["talks"]["hours"] <= 1.3 / 3600
    assert data.report["splits"]["train"]["beyond_max_samples"] == 16 - len(data.train)


def test_evaluation_of_a_mixture_needs_no_training_part(tmp_path):
    data = prepare(sources(tmp_path), working_directory=tmp_path, train=False)
    assert data.train is None and list(data.evaluation) == ["calls.held_out"]


def test_a_mixture_is_written_in_an_experiment_and_changed_on_the_command_line(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mixed.yaml").write_text(
        "# @package _global_\ndata:\n  mixture:\n"
        "    calls: {dataset_name: ./calls, weight: 1}\n"
        "    talks: {dataset_name: ./talks, weight: 2, columns: {text: said}}\n"
    )
    composed = compose(
        ["+experiments=mixed", "data.mixture.talks.weight=3", "data.mixture.talks.language=de"],
        config_dir=tmp_path,
    )
    mixture = composed.config.data.mixture
    assert mixture["talks"] == {
        "dataset_name": "./talks", "weight": 3, "columns": {"text": "said"}, "language": "de",
    }  # fmt: skip
    assert composed.origins["data.mixture"].typed


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("data.mixture.calls.wieght=1", "has no wieght. Nearest: weight."),
        ("data.mixture.calls.weight=-1", "data.mixture.calls.weight is at least 0"),
        ("data.mixture.calls.weight=much", 'takes a number or null, not "much"'),
        ("data.mixture.calls=calls", "takes pairs"),
        ("data.mixture={calls:{weight:x}}", "data.mixture.calls.weight takes a number"),
        ("data.mixture.calls.weight=1", "names no corpus"),
        ("data.mixture={a:{path:x,weight:1},b:{path:y}}", "data.mixture.b has none"),
        ("data.mixture={a:{path:x,weight:0}}", "nothing is sampled"),
        ("data.mixture={a/b:{path:x}}", "cannot name a corpus"),
    ],
)
def test_a_mistake_in_a_mixture_is_named(typed, message):
    with pytest.raises(ConfigErrors) as caught:
        compose([typed])
    assert message in str(caught.value)


def test_weights_and_a_temperature_contradict_each_other():
    with pytest.raises(ConfigErrors, match="say the shares already"):
        compose(["data.mixture={a:{path:x,weight:1}}", "data.mixture_temperature=3"])


def test_a_mixture_is_prepared_by_the_command(tmp_path, monkeypatch, capsys):
    sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
    status = main(
        [
            "data", "prepare", "data.mixture.calls.dataset_name=./calls",
            "data.mixture.talks.dataset_name=./talks", "data.mixture.talks.eval_splits=[]",
            "data.mixture_temperature=1000",
        ]
    )  # fmt: skip
    reported = capsys.readouterr().out
    assert status == 0
    assert "calls.held_out (evaluation)" in reported and "50.0%" in reported


def test_a_corpus_of_a_mixture_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["data", "prepare", "data.mixture.calls.dataset_name=./cals"]) == 2
    assert "data.mixture.calls" in " ".join(capsys.readouterr().err.split())
