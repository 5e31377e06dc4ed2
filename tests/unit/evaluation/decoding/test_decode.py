"""Decoding a corpus: every row in the result, and a training that does not notice."""

from __future__ import annotations

import errno
import itertools
import random
import threading
import weakref
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from evaluation_fakes import FakeCorpus, FakeFamily

from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import decode, examples, rows_by_length, without_a_trace
from mynah.evaluation.evaluate import Evaluation
from mynah.evaluation.findings.findings import findings
from mynah.evaluation.pages.rates import rates_section
from mynah.evaluation.results import results
from mynah.models.transcript import Transcript, Word

WORDS = [f"word{row}" for row in range(10)]


def test_hypotheses_come_in_the_corpus_s_order_whatever_the_lengths():
    corpus = FakeCorpus(WORDS, durations=[3, 1, 2, 5, 4, 0.5, 6, 9, 8, 7])
    result = decode(FakeFamily(WORDS), corpus, batch_seconds=10, progress=False)
    assert [h.id for h in result] == corpus.ids
    assert [h.text for h in result] == WORDS
    assert [h.duration_seconds for h in result] == corpus.durations.tolist()
    assert [h.speaker for h in result] == corpus.speakers


def test_words_have_the_times_that_decoding_tells_or_where_it_is_asked_for_a_second_pass():
    told = Word("one", 0.1, 0.25, -0.5), Word("two", 0.4, 0.75)
    asked = []

    class Family(FakeFamily):
        name, window_samples = "seq2seq", 16000

        def transcribe(self, clips):
            of_first = [
                Transcript("one two", words=told) if c.audio[0] < 2e-4 else None for c in clips
            ]
            return [one or Transcript("one two") for one in of_first]

        def word_times(self, clips, transcripts):
            asked.append(len(clips[0].audio))
            return [(Word("one", 0.0, 0.5), Word("two", 0.5, 0.5 + 1 / 64))]

    corpus = FakeCorpus(["one two"] * 3, durations=[0.8, 1.0, 1.5])
    plain = decode(Family([]), corpus, batch_seconds=10, progress=False)
    assert [one.word_times for one in plain] == [((0.1, 0.25), (0.4, 0.75)), None, None]
    assert asked == []
    found = decode(Family([]), corpus, batch_seconds=10, word_times=True, progress=False)
    assert found[0].word_times == plain[0].word_times
    # The tone is as loud all along, so that attention's times stay; the last is past the window.
    assert found[1].word_times == ((0.0, 0.5), (0.5, 0.515625)) and found[2].word_times is None
    assert asked == [16000]


def test_no_batch_has_more_padded_seconds_than_asked_for():
    durations = np.random.default_rng(0).uniform(0.5, 12, size=200)
    batches = rows_by_length(durations, batch_seconds=20)
    for rows in batches:
        assert len(rows) == 1 or max(durations[rows]) * len(rows) <= 20
    assert sorted(row for rows in batches for row in rows) == list(range(200))
    # Filled: the next row would not have fitted.
    for rows, following in itertools.pairwise(batches):
        assert max(durations[[*rows, following[0]]]) * (len(rows) + 1) > 20


def test_an_utterance_longer_than_the_budget_is_a_batch_of_its_own():
    assert rows_by_length([30.0, 1.0, 2.0], batch_seconds=5) == [[0], [2, 1]]


def test_a_batch_size_takes_the_place_of_the_seconds():
    batches = rows_by_length(np.ones(7) * 100, batch_seconds=1, batch_size=3)
    assert [len(rows) for rows in batches] == [3, 3, 1]


def test_an_unreadable_row_stays_in_the_result_with_its_reason():
    corpus = FakeCorpus(WORDS, unreadable={4})
    result = decode(FakeFamily(WORDS), corpus, batch_seconds=100, progress=False)
    assert [h.text for h in result] == [*WORDS[:4], "", *WORDS[5:]]
    assert result[4].error == "the file is cut off"
    assert [h.error for h in result if h.id != "utt-4"] == [None] * 9


def test_beside_an_accelerator_recordings_are_read_ahead_with_the_same_result():
    corpus, threads = FakeCorpus(WORDS, unreadable={4}), set()
    read = corpus.read_audio

    def noted(row):
        threads.add(threading.current_thread().name)
        return read(row)

    corpus.read_audio = noted
    found = {}
    for device in ("cpu", "meta"):
        family = FakeFamily(WORDS)
        family.model = torch.nn.Linear(2, 2, device=device)
        found[device] = decode(family, corpus, batch_seconds=9, progress=False)
        assert threads == {"MainThread" if device == "cpu" else "recordings"}
        threads.clear()
    assert found["meta"] == found["cpu"] and found["cpu"][4].error == "the file is cut off"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_drive_that_fails_ends_the_evaluation_and_counts_nothing_as_wrong(number):
    corpus = FakeCorpus(WORDS)

    def read_audio(row):
        raise OSError(number, "broken", f"{row}.wav")

    corpus.read_audio = read_audio
    with pytest.raises(OSError, match="broken"):
        decode(FakeFamily(WORDS), corpus, batch_seconds=100, progress=False)


def test_an_utterance_that_breaks_its_batch_costs_only_itself():
    def fail_on_6(rows):
        if 6 in rows:
            raise RuntimeError("a matrix is singular")

    result = decode(
        FakeFamily(WORDS, before=fail_on_6), FakeCorpus(WORDS), batch_seconds=1e6, progress=False
    )
    assert [h.text for h in result] == [*WORDS[:6], "", *WORDS[7:]]
    assert result[6].error == "RuntimeError: a matrix is singular"


def test_an_utterance_that_alone_is_too_long_for_the_memory_is_named_with_what_to_set(capsys):
    def run_out(rows):
        if max(rows) >= 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nMore")

    corpus = FakeCorpus(WORDS, durations=[1.0] * 8 + [45.25, 60.0])
    result = decode(FakeFamily(WORDS, before=run_out), corpus, batch_seconds=1e6, progress=False)
    assert [one.text for one in result] == [*WORDS[:8], "", ""]
    assert result[8].error == (
        "45.2 s of audio are too long for the memory: CUDA out of memory. Tried to allocate 9 GiB"
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 10 utterances" in said and "utt-9 (60.0 s of audio are too long" in said
    assert said.count("model.beam_size") == 1


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_where_memory_holds_not_one_utterance_a_person_reads_what_to_set(device):
    def run_out(rows):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: 9000 bytes")

    family = FakeFamily(WORDS, before=run_out)
    family.model = torch.nn.Linear(2, 2, device=device)
    with pytest.raises(UserError) as caught:
        decode(family, FakeCorpus(WORDS[:2]), batch_seconds=9, progress=False)
    assert caught.value.what.startswith(
        "Not one of the 2 utterances of 'validation' could be decoded: 0.5 s of audio are too long"
        " for the memory: DefaultCPUAllocator"
    )
    assert caught.value.where == "utterance utt-0"
    assert ("training.use_cpu=true" in caught.value.fix) == (device != "cpu")


def test_memory_that_runs_out_where_words_are_timed_is_said():
    class Family(FakeFamily):
        name, window_samples = "seq2seq", None

        def word_times(self, clips, transcripts):
            raise MemoryError

    with pytest.raises(UserError, match=r"cannot be timed: 2\.0 s of audio are too long") as caught:
        decode(Family(WORDS), FakeCorpus(WORDS), batch_seconds=9, word_times=True, progress=False)
    assert "evaluation.word_times=false" in caught.value.fix


def test_a_batch_that_is_too_large_for_the_memory_is_decoded_in_halves_that_hold_nothing_of_it():
    class Tensor:
        pass

    tried, alive = [], []

    def run_out(rows):
        tried.append(len(rows))
        assert [one() for one in alive] == [None] * len(alive)  # of the attempts before
        held = Tensor()
        alive.append(weakref.ref(held))
        if len(rows) > 3:
            raise MemoryError("out of memory")

    result = decode(
        FakeFamily(WORDS, before=run_out), FakeCorpus(WORDS), batch_seconds=1e6, progress=False
    )
    assert [h.text for h in result] == WORDS and all(h.error is None for h in result)
    assert tried == [10, 5, 2, 3, 5, 2, 3]


def test_failures_are_named_to_the_user(capsys):
    decode(FakeFamily(WORDS), FakeCorpus(WORDS, unreadable={2}), batch_seconds=9, progress=False)
    printed = capsys.readouterr().out
    assert "1 of 10 utterances of 'validation'" in printed
    assert "utt-2" in printed


def test_texts_that_were_cut_are_named_but_not_those_that_repeat_themselves(capsys):
    texts = ["one two", "and then " * 20, *WORDS[:4]]

    class Family(FakeFamily):
        def transcribe(self, clips):
            found = super().transcribe(clips)
            return [replace(one, is_cut=one.text != "word0") for one in found]

    corpus = FakeCorpus(texts)
    result = decode(Family(texts), corpus, batch_seconds=3, progress=False)
    assert [one.is_cut for one in result] == [True, False, False, True, True, True]
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "validation: 4 transcripts are cut off at the most tokens allowed, and their end is "
        "missing: utt-0, utt-3, utt-4 and more. Raise model.generation_max_length"
    ) in said
    evaluation = Evaluation.from_decoding(corpus, result, Config(), seconds=1.0)
    about = {"history": [], "about": {}, "created": datetime.now(UTC)}
    found = results({"validation": evaluation}, {"validation": findings_of(evaluation)}, **about)
    cut = ["utt-0", "utt-3", "utt-4", "utt-5"]
    assert found["evaluations"]["validation"]["cut"] == cut
    page = str(rates_section({"validation": evaluation}, {}))
    assert "4 reached model.generation_max_length and were cut." in page


def findings_of(evaluation):
    return findings(evaluation.hypotheses, evaluation.scores)


@pytest.mark.parametrize("where", ["reading", "decoding"])
def test_what_the_user_has_to_fix_is_not_taken_for_a_failed_utterance(where):
    def missing(row):
        if row == 3:
            raise UserError("PyAV is not installed.", where="a.m4a", fix="pip install av")

    corpus = FakeCorpus(WORDS)
    family = FakeFamily(WORDS)
    if where == "reading":
        read = corpus.read_audio
        corpus.read_audio = lambda row: missing(row) or read(row)
    else:
        family.before = lambda rows: [missing(row) for row in rows]
    with pytest.raises(UserError) as caught:
        decode(family, corpus, batch_seconds=9, progress=False)
    assert (caught.value.what, caught.value.fix) == ("PyAV is not installed.", "pip install av")


def test_a_corpus_without_one_readable_utterance_is_an_error_not_a_score():
    corpus = FakeCorpus(WORDS, unreadable=set(range(10)))
    with pytest.raises(UserError, match="Not one of the 10 utterances"):
        decode(FakeFamily(WORDS), corpus, batch_seconds=9, progress=False)


def test_a_model_that_fails_on_everything_raises_its_own_error():
    def broken(rows):
        raise TypeError("no such argument")

    with pytest.raises(TypeError, match="no such argument"):
        decode(FakeFamily(WORDS, before=broken), FakeCorpus(WORDS), batch_seconds=9, progress=False)


def test_an_interrupt_is_not_taken_for_a_failed_utterance():
    def interrupt(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(
            FakeFamily(WORDS, before=interrupt), FakeCorpus(WORDS), batch_seconds=9, progress=False
        )


def test_the_model_decodes_in_evaluation_mode_and_each_module_returns_to_its_own_mode():
    seen = []
    family = FakeFamily(WORDS)
    family.before = lambda rows: seen.append(
        (family.model.training, family.model[1].training, torch.is_grad_enabled())
    )
    family.model.train()
    family.model[0].eval()  # as a frozen encoder inside a model that trains
    decode(family, FakeCorpus(WORDS), batch_seconds=100, progress=False)
    assert set(seen) == {(False, False, False)}
    assert (family.model.training, family.model[0].training, family.model[1].training) == (
        True,
        False,
        True,
    )
    assert torch.is_grad_enabled()


def test_modes_return_after_a_failure_too():
    family = FakeFamily(WORDS)
    family.model.train()
    with pytest.raises(ZeroDivisionError), without_a_trace(family.model):
        1 / 0  # noqa: B018
    assert family.model.training
    assert torch.is_grad_enabled()


def test_random_states_are_as_if_nothing_had_been_decoded():
    def draw(rows=()):
        return random.random(), np.random.random(), torch.rand(2).tolist()

    family = FakeFamily(WORDS, before=draw)
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    expected = draw()
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    decode(family, FakeCorpus(WORDS), batch_seconds=9, progress=False)
    assert draw() == expected


def test_what_a_model_draws_while_decoding_does_not_depend_on_what_came_before():
    def sampled():
        values = []
        family = FakeFamily(WORDS)
        family.before = lambda rows: values.append(
            (torch.rand(1).item(), np.random.random(), random.random())
        )
        decode(family, FakeCorpus(WORDS), batch_seconds=9, progress=False)
        return values

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    first = sampled()
    torch.manual_seed(2), np.random.seed(2), random.seed(2)
    assert sampled() == first


def test_examples_are_the_same_utterances_at_each_evaluation():
    corpus = FakeCorpus(WORDS)
    early = decode(FakeFamily(["?"] * 10), corpus, batch_seconds=9, progress=False)
    late = decode(FakeFamily(WORDS), corpus, batch_seconds=9, progress=False)
    assert [h.id for h in examples(early, 3)] == [h.id for h in examples(late, 3)]
    assert len(examples(late, 3)) == 3
    assert {tuple(h.id for h in examples(late, 3, seed)) for seed in range(9)} != {
        tuple(h.id for h in examples(late, 3))
    }
    assert examples(late, 99) == late
    assert examples(late, 0) == []
