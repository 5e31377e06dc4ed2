"""Word n-grams in ARPA format, beside paper and pencil and beside KenLM; and damaged files."""

import itertools
import json
import math
from types import SimpleNamespace

import pytest

from mynah.errors import UserError
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.word_decoding import NGRAMS_FILE, SETTINGS_FILE, WordDecoding
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

# Unigrams 1/8, never, 1/4, 1/4, 3/8; bigrams 3/4, 1/2, 3/5. What is left over is shared out by
# weights of 1/3 (= 1/4 of 3/4), 4/5 (= 1/2 of 5/8) and 8/15 (= 2/5 of 3/4).
BY_HAND = """\
\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-0.9030899869919435\t<unk>
-99\t<s>\t-0.47712125471966244
-0.6020599913279624\t</s>
-0.6020599913279624\ta\t-0.09691001300805639
-0.4259687322722811\tb\t-0.27300127206373764

\\2-grams:
-0.12493873660829995\t<s> a
-0.3010299956639812\ta b
-0.2218487496163564\tb </s>

\\end\\
"""
# What a checkpoint held for "a b", "a b" and "c" before it held a file in ARPA format.
AS_COUNTS = {
    "words": ["\t", "\n", "a", "b", "c"],
    "unseen": 2 / 7,
    "orders": [
        {"discount": 0.0, "contexts": [[[], 5, [1, 2, 3, 4], [2, 1, 1, 1]]]},
        {
            "discount": 4.5 / 7,
            "contexts": [
                [[0], 3, [2, 4], [2, 1]],
                [[2], 1, [3], [1]],
                [[3], 1, [1], [1]],
                [[4], 1, [1], [1]],
            ],
        },
        {
            "discount": 0.25,
            "contexts": [
                [[0, 2], 2, [3], [2]],
                [[0, 4], 1, [1], [1]],
                [[2, 3], 2, [1], [2]],
            ],
        },
    ],
}
TEXTS = ["the cat sat on the mat", "the dog sat on the log", "a cat saw <s> dog", "on \\<s> sat"]
TOKENIZER = SimpleNamespace(
    word_delimiter_token="|", all_special_tokens=["|"], get_vocab=lambda: {"|": 1, "a": 2, "b": 3}
)


def read(tmp_path, text):
    path = tmp_path / "model.arpa"
    path.write_text(text, encoding="utf-8")
    return ArpaModel.read(path)


@pytest.mark.parametrize(
    ("history", "word", "right"),
    [
        (["\t"], "a", 3 / 4),
        (["\t"], "b", 1 / 8),
        (["a"], "b", 1 / 2),
        (["a"], SENTENCE_END, 1 / 5),
        (["a"], "a", 1 / 5),
        (["b"], SENTENCE_END, 3 / 5),
        (["b"], "b", 1 / 5),
        (["zebra"], "b", 3 / 8),
    ],
)
def test_probabilities_are_those_computed_by_hand(history, word, right, tmp_path):
    ngrams = WordNgrams(read(tmp_path, BY_HAND))
    assert math.exp(ngrams.log_word(tuple(history), word)) == pytest.approx(right, rel=1e-12)


def test_all_unknown_words_share_the_probability_of_the_unknown_one(tmp_path):
    ngrams = WordNgrams(read(tmp_path, BY_HAND))
    history = ("a",)

    def strings(length):  # "ß" stands for all letters that no word has
        return map("".join, itertools.product(["a", "b", "ß"], repeat=length))

    short = sum(
        math.exp(ngrams.log_word(history, one)) for length in range(6) for one in strings(length)
    )
    longer = sum(math.exp(ngrams.log_beginning(history, one)) for one in strings(6))
    known = 1 / 2 + 1 / 5  # "b" and "a"; the end of the sentence has 1/5 as well
    assert short + longer - known == pytest.approx(1 / 10, rel=1e-12)


def test_a_model_is_written_as_it_was_read(tmp_path):
    model = read(tmp_path, BY_HAND)
    model.write(tmp_path / "again.arpa")
    written = (tmp_path / "again.arpa").read_text(encoding="utf-8")
    assert written == BY_HAND.replace("-99\t", "-99.0\t")


def test_words_of_transcripts_that_are_marks_of_the_format_are_words_all_the_same(tmp_path):
    model = kneser_ney.estimate_ngrams(TEXTS)
    model.write(tmp_path / "model.arpa")
    ngrams = WordNgrams(ArpaModel.read(tmp_path / "model.arpa"))
    assert {"<s>", "\\<s>"} <= set(ngrams.vocabulary)
    said, after = ("cat", "saw"), ("\t", "on")
    assert ngrams.log_word(said, "<s>") > ngrams.log_word(said, "\\<s>")
    assert ngrams.log_word(after, "<s>") < ngrams.log_word(after, "\\<s>")


def test_kenlm_gives_the_same_probabilities(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    ngrams = WordNgrams(kneser_ney.estimate_ngrams(TEXTS[:2]))
    ngrams.model.write(tmp_path / "model.arpa")
    theirs = kenlm.Model(str(tmp_path / "model.arpa"))
    words = ngrams.vocabulary
    for sentence in itertools.product(words, repeat=3):
        history = ngrams.start
        ours = []
        for word in [*sentence, SENTENCE_END]:
            ours.append(ngrams.log_word(history, word) / math.log(10))
            history = ngrams.after(history, word)
        right = [log10 for log10, _, _ in theirs.full_scores(" ".join(sentence))]
        assert ours == pytest.approx(right, abs=1e-5)  # float32, and log10 of it


def test_a_checkpoint_with_counts_decodes_by_the_same_probabilities(tmp_path):
    settings = {"weight": 2.0, "word_bonus": 0.5, "beam_size": 3}
    content = {"settings": settings, "ngrams": AS_COUNTS}
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(content), encoding="utf-8")
    found = WordDecoding.load(tmp_path, TOKENIZER)
    assert "weight 2, beam 3" in found.describe("beam search")
    ngrams = found._ngrams
    # As in test_word_ngrams: Kneser and Ney by hand.
    unigram = (1 - 2 / 7) / 5 + 2 / 7 * ngrams.characters.word("b")
    bigram = (1 - 4.5 / 7) + 4.5 / 7 * unigram
    assert math.exp(ngrams.log_word(("a",), "b")) == pytest.approx(bigram, rel=1e-12)
    trigram = (2 - 0.25) / 2 + 0.25 / 2 * bigram
    assert math.exp(ngrams.log_word(("\t", "a"), "b")) == pytest.approx(trigram, rel=1e-12)
    found.save(tmp_path)
    again = WordDecoding.load(tmp_path, TOKENIZER)
    assert again.describe("") == found.describe("")
    said = ("\t", "a"), "b"
    assert again._ngrams.log_word(*said) == ngrams.log_word(*said)


def test_a_model_is_not_read_before_it_decodes(tmp_path):
    (tmp_path / SETTINGS_FILE).write_text('{"settings": {"beam_size": 4}}', encoding="utf-8")
    (tmp_path / NGRAMS_FILE).write_text("damaged", encoding="utf-8")
    found = WordDecoding.load(tmp_path, TOKENIZER)
    with pytest.raises(UserError, match="cut short"):
        found.configure(weight=1.0, word_bonus=0.0, beam_size=4)


def test_a_file_that_is_cut_short_anywhere_is_refused_with_the_line(tmp_path):
    for end in range(len(BY_HAND) - 2):
        with pytest.raises(UserError) as refused:
            read(tmp_path, BY_HAND[:end])
        line = BY_HAND[:end].count("\n") + 1
        where = int(refused.value.where.rpartition(":")[2])
        assert line <= where <= line + 1, BY_HAND[:end]


@pytest.mark.parametrize(
    ("right", "wrong", "said", "line"),
    [
        ("ngram 1=5", "ngram 1=6", "6 different 1-grams are announced, not 5", 12),
        ("ngram 2=3", "ngram 2=2", "2 different 2-grams are announced, not 3", 17),
        ("<s> a", "a b", "3 different 2-grams are announced, not 3", 17),
        ("ngram 2=3", "ngram 3=3", "the count of 2-grams is due", 3),
        ("ngram 2=3\n", "", "not a 1-gram", 6),
        ("\\2-grams:", "\\3-grams:", r"`\\2-grams:` is due", 12),
        ("<s> a", "<s> a b", "not a 2-gram", 13),
        ("<s> a", "<s>  a", "not a 2-gram", 13),
        ("\tb </s>", " b </s>", "not a 2-gram", 15),
        ("b </s>", "c </s>", "none of the 1-grams", 15),
        ("b </s>", "b </s>\t-1", "not a 2-gram", 15),
        ("-99", "nan", "'nan' is not a logarithm", 7),
        ("-99", "high", "'high' is not a logarithm", 7),
        ("-0.3010", "0.3010", "no logarithm of 0.301", 14),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(right, wrong, said, line, tmp_path):
    assert BY_HAND.count(right) >= 1
    with pytest.raises(UserError, match=said) as refused:
        read(tmp_path, BY_HAND.replace(right, wrong))
    assert refused.value.where.endswith(f"model.arpa:{line}")


def test_a_model_without_unknown_words_is_refused(tmp_path):
    closed = BY_HAND.replace("-0.9030899869919435\t<unk>\n", "").replace("1=5", "1=4")
    with pytest.raises(UserError, match="<unk>"):
        WordNgrams(read(tmp_path, closed))


def test_a_checkpoint_whose_model_is_gone_is_refused(tmp_path):
    (tmp_path / SETTINGS_FILE).write_text('{"settings": {}}', encoding="utf-8")
    with pytest.raises(UserError, match="No such file"):
        WordDecoding.load(tmp_path, TOKENIZER).configure(weight=1.0, word_bonus=0.0, beam_size=1)


def test_damaged_settings_are_refused(tmp_path):
    for text in ("{", "[]", '{"settings": {"beam": 1}}'):
        (tmp_path / SETTINGS_FILE).write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="damaged"):
            WordDecoding.load(tmp_path, TOKENIZER)
