"""The lists of a corpus: an utterance that fails costs itself, and is named."""

from __future__ import annotations

import dataclasses

import pytest
from evaluation_fakes import FakeCorpus, FakeFamily

from mynah.config.schema import Config
from mynah.evaluation.n_best.lists import decode_n_best
from mynah.models.transcript import Transcript


def asked() -> Config:
    config = Config()
    settings = dataclasses.replace(config.evaluation, n_best=2)
    training = dataclasses.replace(config.training, eval_batch_seconds=1000.0)
    return dataclasses.replace(config, evaluation=settings, training=training)


class Beam(FakeFamily):
    """Runs out of memory on an utterance of 40 seconds, and gives up on the first."""

    def n_best(self, clips, size):
        assert size == 2
        rows = [round(float(clip.audio[0]) * 10000) - 1 for clip in clips]
        self.batches.append(rows)
        if any(len(clip.audio) > 40 * self.sample_rate for clip in clips):
            raise MemoryError("cannot allocate 9 GiB")
        if 0 in rows:
            raise RuntimeError("no path")
        return [[Transcript(self.texts[row]), Transcript("")] for row in rows]


def test_an_utterance_without_a_list_is_named_and_a_batch_that_fails_is_halved(capsys):
    texts = ["zero", "one", "two", "three", "four", "five"]
    corpus = FakeCorpus(texts, durations=[1, 2, 3, 4, 5, 41])
    family = Beam(texts)
    lists = decode_n_best(family, corpus, asked(), description="lists")
    assert [[one.text for one in row] for row in lists] == [
        [], ["one", ""], ["two", ""], ["three", ""], ["four", ""], []
    ]  # fmt: skip
    assert family.batches[:4] == [[5, 4, 3, 2, 1, 0], [5, 4, 3], [5], [4, 3]]
    assert family.batches[4:] == [[2, 1, 0], [2], [1, 0], [1], [0]]
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "2 of 6 utterances of 'validation' have no n-best list: utt-0 (RuntimeError: no path);"
        " utt-5 (41.0 s of audio are too long for the memory: cannot allocate 9 GiB)" in said
    )


def test_a_recording_that_cannot_be_read_is_named_and_a_list_too_few_is_a_mistake(capsys):
    corpus = FakeCorpus(["zero", "one", "two"], unreadable={1})

    class Plain(Beam):
        def n_best(self, clips, size):
            return [[Transcript("a")] for _ in clips][: self.most]

    family = Plain(corpus.texts)
    family.most = 2
    lists = decode_n_best(family, corpus, asked(), description="lists")
    assert [len(row) for row in lists] == [1, 0, 1]
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 utterances of 'validation' have no n-best list: utt-1 (the file is cut" in said
    family.most = 1
    with pytest.raises(ValueError, match="shorter"):
        decode_n_best(family, corpus, asked(), description="lists")
