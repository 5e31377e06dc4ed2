"""The base before it is tuned: a fixed part of a set, kept for the next run, and guards."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import data_helpers
import pytest
from evaluation_fakes import FakeCorpus, FakeFamily

from mynah.config.schema import Config
from mynah.data.corpus import Corpus
from mynah.errors import UserError
from mynah.evaluation.baseline.before import BaseWeights, measured_before
from mynah.evaluation.baseline.guards import guard_corpora
from mynah.evaluation.baseline.sample import fixed_sample

TEXTS = ["one two", "three", "four five six", "seven eight"]


class Selectable(FakeCorpus):
    """Rows by their ids, so that a part of it can be taken."""

    def select(self, rows):
        part = Selectable([self.texts[row] for row in rows])
        part.ids = [self.ids[row] for row in rows]
        return part


class Recognizer(FakeFamily):
    """A family whose pretrained weights recognize by themselves, or do not."""

    def __init__(self, texts, *, decoding="greedy", recognizes=True):
        super().__init__(texts)
        self.decoding, self.recognizes = decoding, recognizes

    def untuned(self):
        return self if self.recognizes else None

    def describe_decoding(self):
        return self.decoding

    def base_revisions(self):
        return {"base": "1"}


@dataclass
class Measuring:
    """Measures in one cache, and counts what was decoded."""

    cache: Path

    def __call__(
        self, texts=TEXTS, *, commit="sha256:1", fingerprint="f00d", guards=None, **changed
    ):
        config = Config()
        for name in ("baseline",):
            if name in changed:
                setattr(config.evaluation, name, changed.pop(name))
        for name in ("beam_size", "generation_max_length"):
            if name in changed:
                setattr(config.model, name, changed.pop(name))
        family = Recognizer(texts, **changed)
        corpus = FakeCorpus(list(TEXTS), fingerprint=fingerprint)
        before = measured_before(
            config, family, BaseWeights("base", commit), {"dev": corpus}, guards or {}, self.cache
        )
        return before, sum(map(len, family.batches))


@pytest.fixture
def measure(tmp_path):
    return Measuring(tmp_path)


def named(count: int, prefix: str = "u") -> Selectable:
    corpus = Selectable([f"text {row}" for row in range(count)])
    corpus.ids = [f"{prefix}{row}" for row in range(count)]
    return corpus


def test_a_sample_is_of_120_utterances_in_the_corpus_s_order():
    part = fixed_sample(named(500))
    assert len(part.ids) == len(set(part.ids)) == 120
    assert [int(one[1:]) for one in part.ids] == sorted(int(one[1:]) for one in part.ids)
    small = named(120)
    assert fixed_sample(small) is small


def test_a_sample_stays_the_same_in_another_order_and_nearly_so_in_a_larger_corpus():
    corpus, turned, larger = named(500), named(500), named(550)
    turned.ids = turned.ids[::-1]
    assert set(fixed_sample(corpus).ids) == set(fixed_sample(turned).ids)
    shared = set(fixed_sample(corpus).ids) & set(fixed_sample(larger).ids)
    assert len(shared) > 95  # 120 * 500 / 550 = 109 on average


def test_what_a_base_recognized_is_decoded_once(measure):
    first, decoded = measure()
    assert decoded == 4 and not first.splits["dev"].kept
    second, decoded = measure()
    assert decoded == 0 and second.splits["dev"].kept
    assert second.splits["dev"].hypotheses == first.splits["dev"].hypotheses


def test_texts_that_were_cut_are_so_too_where_they_were_kept(measure, capsys, monkeypatch):
    def cut_second(self, clips):
        found = FakeFamily.transcribe(self, clips)
        return [replace(one, is_cut=one.text == TEXTS[1]) for one in found]

    monkeypatch.setattr(Recognizer, "transcribe", cut_second, raising=False)
    for _ in range(2):
        before, _ = measure()
        cut = [one.is_cut for one in before.splits["dev"].hypotheses]
        assert cut == [False, True, False, False]
        said = " ".join(capsys.readouterr().out.split())
        assert "validation: 1 transcript is cut off at the most tokens" in said and "utt-1" in said
    (file,) = measure.cache.glob("baselines/*.json")
    content = json.loads(file.read_text())
    del content["cut"]  # as in a file of before
    file.write_text(json.dumps(content))
    before, decoded = measure()
    assert decoded == 0 and not any(one.is_cut for one in before.splits["dev"].hypotheses)


@pytest.mark.parametrize(
    "changed",
    [
        {"commit": "sha256:2"},
        {"fingerprint": "another"},
        {"decoding": "beam search of 5"},
        {"generation_max_length": 7},
    ],
)
def test_whatever_may_change_a_text_is_measured_again(measure, changed):
    measure()
    assert measure(**changed)[1] == 4
    assert measure()[1] == 0


@pytest.mark.parametrize("damage", [b"", b"{", b'{"ids": ["utt-0"], "texts": [1]}'])
def test_a_damaged_file_is_measured_again(measure, damage):
    measure()
    (file,) = measure.cache.glob("baselines/*.json")
    file.write_bytes(damage)
    assert measure()[1] == 4
    assert measure()[1] == 0


def test_a_part_that_failed_is_not_kept(measure):
    config = Config()
    for _ in range(2):
        family = Recognizer(TEXTS)
        corpus = FakeCorpus(list(TEXTS), unreadable={2})
        found = measured_before(
            config, family, BaseWeights("base", "sha256:1"), {"dev": corpus}, {}, measure.cache
        )
        assert sum(map(len, family.batches)) == 3
        assert found.splits["dev"].hypotheses[2].error


def test_nothing_is_measured_where_it_is_not_asked_for_or_nothing_recognizes(measure):
    assert measure(baseline="none") == (None, 0)
    assert measure(recognizes=False) == (None, 0)


def test_a_guard_is_measured_though_the_splits_are_not(measure):
    guard = FakeCorpus(["one two"], fingerprint="guard")
    before, decoded = measure(baseline="none", guards={"other": guard})
    assert decoded == 1 and not before.splits and list(before.guards) == ["other"]


@pytest.mark.parametrize(
    ("count", "baseline", "decoded"), [(150, "sample", 120), (150, "full", 150)]
)
def test_a_sample_or_all_of_a_split_is_measured(measure, count, baseline, decoded):
    config = Config()
    config.evaluation.baseline = baseline
    corpus = named(count)
    family = Recognizer([f"text {row}" for row in range(count)])
    found = measured_before(
        config, family, BaseWeights("base", "sha256:1"), {"dev": corpus}, {}, measure.cache
    ).splits["dev"]
    assert (len(found.hypotheses), found.of) == (decoded, 150)


def test_fewer_than_fifty_utterances_are_said(measure, capsys):
    measure()
    assert "dev has 4 utterances" in " ".join(capsys.readouterr().out.split())


def guarded(tmp_path, *names) -> dict[str, Corpus]:
    config = Config()
    config.data.dataset_cache_dir = str(tmp_path / "cache")
    config.data.num_proc = 1
    config.evaluation.guard = list(names)
    config.model.pretrained = "whisper"
    return guard_corpora(config, tmp_path)


def test_a_guard_is_a_corpus_with_a_split_behind_a_colon(tmp_path):
    for split, count in (("train", 3), ("test", 2), ("validation", 4)):
        rows = [(f"{split}-{n}.wav", f"text {n}", "s") for n in range(count)]
        (tmp_path / "speech" / split).mkdir(parents=True)
        data_helpers.write_folder(tmp_path / "speech" / split, rows)
    found = guarded(tmp_path, "speech", "speech:validation")
    assert {name: len(corpus) for name, corpus in found.items()} == {
        "speech": 2,  # the split for measuring
        "speech:validation": 4,
    }
    with pytest.raises(UserError) as caught:
        guarded(tmp_path, "speech:dev-other")
    assert caught.value.where == "evaluation.guard: speech:dev-other"
    assert "evaluation.guard=[speech:" in caught.value.fix


def test_without_a_recognizer_to_tune_no_guard_is_looked_for(tmp_path):
    config = Config()
    config.evaluation.guard = ["./nowhere"]
    assert guard_corpora(config, tmp_path) == {}


def test_a_guard_that_is_nowhere_names_the_setting(tmp_path):
    with pytest.raises(UserError) as caught:
        guarded(tmp_path, "./nowhere")
    assert caught.value.where == "evaluation.guard: ./nowhere"


def test_the_general_guard_is_sixty_clean_sentences(tmp_path):
    pytest.importorskip("espeakng_loader")
    corpus = guarded(tmp_path, "general")["general"]
    assert len(corpus) == 60
    assert set(corpus.languages) == {"en"}
