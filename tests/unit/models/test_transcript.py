"""Tokens, probabilities, languages and word times of transcripts, by other ways to them."""

import math
from types import SimpleNamespace

import families
import numpy as np
import pytest
import torch
from standins_ctc import capital_letters
from tiny_models import TEXTS, make_talkative, tiny
from transformers import AutoModelForTDT, AutoProcessor

from mynah.models import registry
from mynah.models.ctc.greedy import best_paths
from mynah.models.family import Example
from mynah.models.text.generated import GreedyScores
from mynah.models.text.tokenizers import pieces_of, train_tokenizer
from mynah.models.text.word_times import Path, timed_words
from mynah.models.transcript import Clip, Transcript, joined
from mynah.models.transducer import decoding

LETTERS = "_HELOWI|"  # labels 0 and up; the blank is 0, "|" stands for a space
FRAME = 0.02  # seconds


def clips_of(audios):
    return [Clip(audio) for audio in audios]


def logits_of(path, labels, height=5.0):
    """Scores of a path that stands out at each frame, [frames, labels]."""
    return height * torch.nn.functional.one_hot(torch.tensor(path), labels).float()


def test_the_greedy_path_has_the_frames_and_the_probability_of_its_labels():
    path = [LETTERS.index(one) for one in "_HHE_L_LLO|_WI"]
    padded = torch.cat([logits_of(path, 8), torch.zeros(3, 8)])
    (found,) = best_paths(padded[None], [len(path)], blank=0)
    assert "".join(LETTERS[one] for one in found.tokens) == "HELLO|WI"
    assert found.spans == (
        (1, 3), (3, 4), (5, 6), (7, 9), (9, 10), (10, 11), (12, 13), (13, 14)
    )  # fmt: skip
    each = 5.0 - math.log(math.exp(5.0) + 7)
    assert found.log_probability == pytest.approx(14 * each, rel=1e-5)


def test_words_last_from_the_first_frame_of_their_first_letter_to_the_last_of_their_last():
    path = [LETTERS.index(one) for one in "_HHE_L_LLO|_WI"]
    (found,) = best_paths(logits_of(path, 8)[None], [len(path)], blank=0)
    pieces = {i: one for i, one in enumerate("_HELOWI ") if i}
    each = 5.0 - math.log(math.exp(5.0) + 7)  # of a letter: five of them, then two
    words = timed_words("HELLO WI", found, pieces, FRAME)
    assert [one.log_probability for one in words] == pytest.approx([5 * each, 2 * each], rel=1e-5)
    assert [(one.text, one.start_seconds, one.end_seconds) for one in words] == [
        ("HELLO", 1 * FRAME, 10 * FRAME),
        ("WI", 12 * FRAME, 14 * FRAME),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_word_times_are_those_of_transformers_tokenizer(seed):
    tokenizer = capital_letters()
    labels = len(tokenizer)
    draw = np.random.default_rng(seed)
    # Letters, blanks and delimiters for one to three frames each, as they come.
    path = np.repeat(draw.choice([0, 4, *range(5, labels)], 80), draw.integers(1, 4, 80)).tolist()
    (found,) = best_paths(logits_of(path, labels)[None], [len(path)], blank=0)
    theirs = tokenizer.decode(path, output_word_offsets=True)
    ours = timed_words(theirs["text"], found, pieces_of(tokenizer), 1.0)
    assert [(one.text, one.start_seconds, one.end_seconds) for one in ours] == [
        (one["word"], one["start_offset"], one["end_offset"]) for one in theirs["word_offsets"]
    ]


def test_words_of_pieces_begin_at_the_piece_that_opens_them():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", vocab_size=40)
    tokens = tuple(tokenizer("call anna")["input_ids"])
    pieces = tokenizer.convert_ids_to_tokens(tokens)
    second = next(i for i, piece in enumerate(pieces) if i and piece.startswith("▁a"))
    spans = tuple((10 * i, 10 * i + 4) for i in range(len(tokens)))
    words = timed_words(
        "call anna", Path(tokens, spans, 0.0, (-0.5,) * len(tokens)), pieces_of(tokenizer), 0.08
    )
    first = 1 if pieces[0] == "▁" else 0  # a piece that is a space alone is of no word
    assert [one.text for one in words] == ["call", "anna"]
    assert words[0].start_seconds == pytest.approx(10 * first * 0.08)
    assert words[0].end_seconds == pytest.approx((10 * (second - 1) + 4) * 0.08)
    assert words[1].start_seconds == pytest.approx(10 * second * 0.08)


def test_there_are_no_word_times_where_the_pieces_are_not_the_text():
    path = Path((1, 2), ((0, 1), (1, 2)), 0.0, (0.0, 0.0))
    assert timed_words("é", path, {1: "Ã", 2: "©"}, 1.0) is None


def stub_transducer(logits):
    """A transducer whose joint puts out a frame's logits, whatever was written before."""
    state = torch.zeros(1, len(logits), 1)
    decoder = SimpleNamespace(
        embedding=lambda labels: labels.float()[..., None],
        lstm=lambda hidden, before: (hidden, before or (state, state)),
        decoder_projector=lambda hidden: hidden,
    )
    joint = lambda encoder_hidden_states, decoder_hidden_states: encoder_hidden_states  # noqa: E731
    return SimpleNamespace(decoder=decoder, joint=joint)


def test_a_tdt_labels_frames_are_where_it_is_read_and_how_long_it_lasts():
    #         frame 0: label 2 for 2 frames; frame 2: blank for 1; frame 3: label 1 for 0 frames,
    # of which two are allowed; frame 4: label 3 for 4 frames, beyond the end.
    tokens, jumps = [2, 0, 0, 1, 3, 0], [2, 0, 1, 0, 4, 1]
    durations = (0, 1, 2, 4)
    one_hot = [logits_of([durations.index(one)], 4, 2.0)[0] for one in jumps]
    frames = torch.stack(
        [torch.cat([logits_of([t], 4)[0], d]) for t, d in zip(tokens, one_hot, strict=True)]
    )[None]
    (found,) = decoding.greedy(
        stub_transducer(frames),
        frames,
        torch.tensor([6]),
        blank=0,
        durations=durations,
        max_symbols=2,
    )
    assert found.tokens == (2, 1, 1, 3)
    assert found.spans == ((0, 2), (3, 3), (3, 3), (4, 6))  # the last one ends with the audio
    label, jump = 5 - math.log(math.exp(5) + 3), 2 - math.log(math.exp(2) + 3)
    assert found.log_probability == pytest.approx(5 * (label + jump), rel=1e-5)


def test_frames_of_a_tdt_are_those_of_transformers(clips, tmp_path):
    torch.manual_seed(0)
    config = tiny(family="transducer")
    config.transducer.hidden_size, config.transducer.max_duration = 24, 3
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    make_talkative(family, clips).save(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    model = AutoModelForTDT.from_pretrained(tmp_path).eval()
    seconds = 0.01 * model.config.encoder_config.subsampling_factor
    for clip, ours in zip(clips, family.transcribe(clips_of(clips)), strict=True):
        theirs = model.generate(**processor([clip], sampling_rate=16000))
        tokens, lasting = theirs.sequences[0], theirs.durations[0]
        # A word begins and ends with what writes it: a space by itself does not.
        space = processor.tokenizer.convert_tokens_to_ids("▁")
        writes = (tokens != family.blank) & (tokens != space)
        starts = (lasting.cumsum(0) - lasting)[writes]
        ends = starts + lasting[writes]
        assert ours.tokens == tuple(tokens[tokens != family.blank].tolist()) != ()
        assert ours.words[0].start_seconds == pytest.approx(starts[0].item() * seconds)
        last = min(ends[-1].item(), family.output_length(len(clip)))
        assert ours.words[-1].end_seconds == pytest.approx(last * seconds)
        assert [word.text for word in ours.words] == ours.text.split()


def test_an_rnnt_counts_its_blanks_and_has_no_word_times(clips):
    frames = torch.stack([logits_of([one], 4)[0] for one in (2, 0, 3)])[None]
    # Whatever was written before, the same label again: one at each frame, and then the next.
    (found,) = decoding.greedy(
        stub_transducer(frames), frames, torch.tensor([3]), blank=0, max_symbols=1
    )
    assert found.tokens == (2, 3) and found.spans == ((0, 1), (2, 3))
    assert found.log_probability == pytest.approx(3 * (5 - math.log(math.exp(5) + 3)), rel=1e-5)
    config = tiny(family="transducer")
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert not family.durations
    assert family.transcribe([Clip(clips[0])])[0].words is None


def test_a_path_is_not_likelier_than_all_paths_to_its_labels(clips):
    torch.manual_seed(0)
    family = registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True)
    family.model.eval()
    for clip, found in zip(clips, family.transcribe(clips_of(clips)), strict=True):
        row = Example("a", family.features(clip), list(found.tokens))
        with torch.no_grad():
            loss = family.loss(family.model, family.collate([row])).total.item()
        assert found.tokens and -loss - 100 < found.log_probability < -loss


@pytest.mark.parametrize("kind", ["seq2seq", "audio_llm", "speech_llm"])
def test_what_a_decoder_writes_has_the_probability_that_its_loss_gives_it(kind, checkpoints, clips):
    # Of each kind one whose loss is of all that it writes, and that may write any token.
    named = {"seq2seq": "moonshine", "audio_llm": "granite_speech"}
    settings = {"pretrained": str(checkpoints(named[kind]))} if kind in named else {}
    family = families.build(kind, checkpoints, **settings, language=None)
    together = family.transcribe(clips_of(clips))
    assert any(one.tokens for one in together)
    end = family.labels("")[-1]
    most = tiny().generation_max_length
    for clip, found in zip(clips, together, strict=True):
        ended = [] if len(found.tokens) == most else [end]
        row = Example("a", family.features(clip), [*found.tokens, *ended])
        with torch.no_grad():
            loss = family.loss(family.model.eval(), family.collate([row])).total.item()
        assert found.log_probability == pytest.approx(-loss, rel=1e-3, abs=1e-3)
        (alone,) = family.transcribe([Clip(clip)])
        assert alone.text == found.text and alone.tokens == found.tokens
        assert alone.log_probability == pytest.approx(found.log_probability, rel=1e-3)
        assert found.words is None and found.is_cut == (not ended)


def test_what_a_whisper_must_not_write_counts_nothing(checkpoints, clips):
    family = families.build("seq2seq", checkpoints, language="en")
    rules = family.model.generation_config
    for clip, found in zip(clips, family.transcribe(clips_of(clips)), strict=True):
        ended = [] if len(found.tokens) == tiny().generation_max_length else [family._end]
        prompt = family.prompts.ids("en")
        batch = family._audio([family.features(clip)])
        ids = torch.tensor([[*prompt, *found.tokens, *ended]])
        with torch.no_grad():
            logits = family.model.eval()(**batch, decoder_input_ids=ids).logits[0]
        logits = logits[len(prompt) - 1 : -1]
        logits[:, rules.suppress_tokens] = -torch.inf
        logits[0, rules.begin_suppress_tokens] = -torch.inf
        chosen = logits.log_softmax(-1)[torch.arange(len(logits)), ids[0, len(prompt) :]]
        assert found.log_probability == pytest.approx(chosen.sum().item(), rel=1e-4)
        assert found.language == "en" and found.is_cut == (not ended)


def test_a_row_is_cut_where_it_has_the_most_tokens_and_no_end():
    scores = GreedyScores()
    for _ in range(3):
        scores(torch.zeros(3, 1), torch.zeros(3, 10))
    rows = [[5, 6, 7], [5, 6, 9], [9, 0, 0]]  # 9 ends a transcript
    assert [one.is_cut for one in scores.generated(rows, {9}, 3)] == [True, False, False]
    assert [one.is_cut for one in scores.generated(rows, {9}, 4)] == [False] * 3
    assert joined([Transcript("a"), Transcript("b", is_cut=True)]).is_cut
    assert not joined([Transcript("a"), Transcript("b")]).is_cut


@pytest.mark.parametrize(("most", "is_cut"), [(3, False), (8, True), (50, True)])
def test_a_whisper_that_its_clip_s_length_bounds_is_not_cut(
    most, is_cut, checkpoints, clips, monkeypatch
):
    monkeypatch.setattr("mynah.models.seq2seq.family.most_tokens", lambda seconds: most)
    family = families.build("seq2seq", checkpoints, language="en")
    rules = family.model.generation_config
    rules.suppress_tokens = [*rules.suppress_tokens, family._end]  # it never ends by itself
    found = family.transcribe(clips_of(clips))
    assert {len(one.tokens) for one in found} == {min(most, 8)}
    assert {one.is_cut for one in found} == {is_cut}
    rules.num_beams = 2
    assert {one.is_cut for one in family.transcribe(clips_of(clips))} == {True}


def test_a_beam_search_has_no_probability_of_one_path(checkpoints, clips):
    family = families.build("seq2seq", checkpoints, language="en")
    family.model.generation_config.num_beams = 2
    (found,) = family.transcribe([Clip(clips[0])])
    assert found.log_probability is None
    config = tiny(language_model="words")
    family = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    (found,) = family.transcribe([Clip(clips[0])])
    assert found.log_probability is None and found.words is None


def test_the_language_is_that_of_the_clip_or_the_settings_or_is_identified(checkpoints, clips):
    families_own = families.build("seq2seq", checkpoints, language=None)
    named, identified = families_own.transcribe([Clip(clips[0], "de"), Clip(clips[0])])
    assert named.language == "de" and identified.language in families_own.prompts.languages
    fixed = families.build("seq2seq", checkpoints, language="en")
    assert fixed.transcribe([Clip(clips[0], "de")])[0].language == "en"
    audio_llm = families.build("audio_llm", checkpoints)
    found = audio_llm.transcribe([Clip(clips[0], "de"), Clip(clips[0])])
    assert [one.language for one in found] == ["de", None]
    multilingual = registry.build(
        tiny(pretrained=str(checkpoints("nemotron_multilingual"))),
        texts=TEXTS,
        sample_rate=16000,
        offline=True,
    )
    found = multilingual.transcribe([Clip(clips[0], "de"), Clip(clips[0])])
    assert [one.language for one in found] == ["de", None]


def test_a_clip_that_is_too_short_has_an_empty_transcript():
    family = registry.build(tiny(), texts=TEXTS, sample_rate=16000, offline=True)
    assert family.transcribe([Clip(np.zeros(10, np.float32))]) == [Transcript("")]


def test_pieces_of_a_clip_are_joined_in_order():
    pieces = [Transcript("ten", (1, 2), -1.0, None, "en"), Transcript("", (), -0.25, None, "en")]
    full = joined([*pieces, Transcript("nine", (3,), -2.0, None, "en")])
    assert full == Transcript("ten nine", (1, 2, 3), -3.25, None, "en")
    assert joined([Transcript("ten", (1,), -1.0), Transcript("two", (2,))]).log_probability is None
    assert joined([]) == Transcript("")
