"""``model.language_model=FILE`` and ``mynah lm``: text and ARPA files that join a beam."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import subprocess
import sys

import pytest
import torch
from tiny_models import TEXTS, tiny
from transcripts import transcribed

from mynah import console
from mynah.cli.main import main
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.fusion import kneser_ney
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.language_models import read_language_model
from mynah.models.fusion.word_ngrams import WordNgrams
from mynah.models.recognizer import read_changed_words

BIGRAMS = """\
\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.30103
-0.69897\t</s>
-0.52288\tcall\t-0.17609
-0.39794\tanna\t-0.60206

\\2-grams:
-0.30103\t<s> call
-0.22185\tcall anna
-0.1549\tanna </s>

\\end\\
"""


@pytest.fixture(scope="module")
def family():
    torch.manual_seed(0)
    return registry.build(tiny(tokenizer="character"), texts=TEXTS, sample_rate=16000, offline=True)


def test_words_in_another_encoding_are_said_and_a_mark_of_it_is_none(tmp_path, capsys):
    path = tmp_path / "model.arpa"
    path.write_bytes(BIGRAMS.replace("anna", "andré").encode("latin-1"))
    read_language_model(path, written_as=str, letters=None)
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of the 2 words of model.arpa are not text in UTF-8" in said
    # As Windows' editors write it.
    path.write_bytes(BIGRAMS.replace("\n", "\r\n").encode("utf-8-sig"))
    marked = read_language_model(path, written_as=str, letters=None)
    path.write_text(BIGRAMS, encoding="utf-8")
    plain = ArpaModel.read(path)
    assert marked.log10 == plain.log10 and marked.backoff == plain.backoff
    assert not capsys.readouterr().out


def lm(*arguments):
    return main(["lm", *map(str, arguments)])


def test_the_command_writes_the_model_of_its_texts(tmp_path, capsys):
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("Call Anna\n", encoding="utf-8-sig")
    other.write_text("call anna now\n\ncall her\n")
    target = tmp_path / "both.arpa"
    assert lm(one, other, "--case", "lower", "--to", target) == 0
    assert ArpaModel.read(target) == kneser_ney.estimate_ngrams(
        ["call anna", "call anna now", "call her"]
    )
    printed = capsys.readouterr()
    assert "model.language_model=" in printed.out
    assert (
        "2-grams for a discount for each count: 0.93 is taken from every count"
        in printed.out + printed.err
    )


def test_the_command_takes_packed_text_an_order_and_thresholds(tmp_path, capsys):
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress(b"call anna\ncall anna now\ncall anna now\nwho\n"))
    target = tmp_path / "four.arpa"
    assert lm(text, "--order", 4, "--prune", 0, 0, 1, "--to", target) == 0
    model = ArpaModel.read(target)
    assert [sum(map(len, table.values())) for table in model.log10] == [7, 7, 3, 2]
    assert "7 1-grams, 7 2-grams, 3 3-grams, 2 4-grams" in capsys.readouterr().out


def test_what_a_killed_command_left_beside_its_file_goes_with_the_next(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("call anna\ncall anna now\n")
    code = (
        "import os, pathlib, signal; from mynah.files import staged\n"
        "with staged(pathlib.Path('a.arpa')) as beside:\n"
        "    beside.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path)
    (left,) = tmp_path.glob(".a.arpa.*")
    others = {f".a.arpa.{os.getpid()}-1.writing", left.name.replace("a.arpa", "b.arpa")}
    for name in others:  # one is written at this moment, one is another file's
        (tmp_path / name).touch()
    assert lm(text, "--to", tmp_path / "a.arpa") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "a.arpa", *others}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.txt", "--to", "a.arpa"], "There is no file"),
        (["text.txt", "--to", "a.txt"], "ends with .arpa"),
        (["text.txt", "--to", "there.arpa"], "nothing is overwritten"),
        (["empty.txt", "--to", "a.arpa"], "has no word"),
        (["latin.txt", "--to", "a.arpa"], "not text in UTF-8"),
        (["text.txt", "--keep", "0", "--to", "a.arpa"], "At least one"),
        (["text.txt", "--words", "0", "--to", "a.arpa"], "At least one"),
        (["text.txt", "--order", "1", "--to", "a.arpa"], "2 to 6 words"),
        (["text.txt", "--prune", "2", "1", "--to", "a.arpa"], "none is lower"),
        (["text.txt", "--prune", "0", "0", "0", "1", "--to", "a.arpa"], "one for each order"),
        (["text.txt", "--prune", "9", "--to", "a.arpa"], "No word came 10 times"),
        (["cut.gz", "--to", "a.arpa"], "cannot be read"),
    ],
)
def test_texts_and_targets_that_do_not_fit_are_refused(
    tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("call anna\n")
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"call anna")[:-9])
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 anna\n")
    (tmp_path / "there.arpa").write_text("x")
    assert lm(*arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a.arpa").exists()


def test_bigrams_of_another_program_give_the_probabilities_of_the_file(tmp_path):
    path = tmp_path / "two.arpa"
    path.write_text(BIGRAMS)
    model = WordNgrams(ArpaModel.read(path))
    assert math.exp(model.log_word(model.start, "call")) == pytest.approx(10**-0.30103)
    # Not listed after <s>: its weight times the unigram, by hand 0.5 · 0.4.
    assert math.exp(model.log_word(model.start, "anna")) == pytest.approx(0.2, rel=1e-4)
    after = model.after(model.start, "call")
    assert math.exp(model.log_word(after, "anna")) == pytest.approx(0.6, rel=1e-4)


@pytest.mark.parametrize("kind", ["arpa", "txt"])
def test_a_file_decodes_as_its_words_do_is_kept_in_the_checkpoint_and_described(
    family, kind, clips, tmp_path
):
    words = registry.build(
        tiny(tokenizer="character", language_model="words"),
        texts=TEXTS, sample_rate=16000, offline=True,
    )  # fmt: skip
    words.model.load_state_dict(family.model.state_dict())
    path = tmp_path / f"domain.{kind}"
    if kind == "txt":
        path.write_text("\n".join(TEXTS))
    else:
        kneser_ney.estimate_ngrams(TEXTS).write(path)
    settings = tiny(language_model=str(path), language_model_weight=1.5)
    family.configure_decoding(settings)
    words.configure_decoding(tiny(language_model="words", language_model_weight=1.5))
    assert family.describe_decoding().startswith(
        f"CTC beam search with word n-grams of {path.name}"
    )
    expected = transcribed(words, clips)
    assert transcribed(family, clips) == expected
    family.save(tmp_path / "checkpoint")
    path.unlink()  # the checkpoint has the model itself
    loaded = registry.load_family(tmp_path / "checkpoint")
    loaded.configure_decoding(settings)
    assert transcribed(loaded, clips) == expected
    family.configure_decoding(tiny())


def trained_with(family, path, folder):
    """A checkpoint of the family with the n-grams of a file, loaded."""
    family.configure_decoding(tiny(language_model=str(path)))
    family.save(folder)
    family.configure_decoding(tiny())
    return registry.load_family(folder)


def first_words(family):
    """Base-10 logarithms of what begins a sentence, of the n-grams that join."""
    return family._beam._ngrams.model.log10[1]["<s>",]


@pytest.mark.parametrize("remembers", [True, False], ids=["digest", "older checkpoint"])
def test_a_file_that_has_changed_since_the_training_is_read_again(
    family, tmp_path, monkeypatch, remembers
):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    path, folder = tmp_path / "domain.arpa", tmp_path / "checkpoint"
    path.write_text(BIGRAMS)
    loaded = trained_with(family, path, folder)
    record = json.loads((folder / "language_model.json").read_text())
    assert record["digest"] == hashlib.sha256(BIGRAMS.encode()).hexdigest()
    if not remembers:
        del record["digest"]
        (folder / "language_model.json").write_text(json.dumps(record))
        loaded = registry.load_family(folder)
    read_changed_words(loaded)
    loaded.configure_decoding(tiny(language_model=str(path)))
    assert len(said) == (0 if remembers else 1)
    assert first_words(loaded) == {"call": -0.30103}
    path.write_text(BIGRAMS.replace("-0.30103\t<s> call", "-0.90309\t<s> anna"))
    unasked = registry.load_family(folder)
    unasked.configure_decoding(tiny(language_model=str(path)))  # as the checkpoint says
    assert first_words(unasked) == {"call": -0.30103}
    loaded = registry.load_family(folder)
    read_changed_words(loaded)
    loaded.configure_decoding(tiny(language_model=str(path)))
    assert first_words(loaded) == {"anna": -0.90309}
    assert "read again" in said[-1] and str(path) in said[-1]
    path.unlink()  # what was read stays
    loaded.configure_decoding(tiny(language_model=str(path)))
    assert first_words(loaded) == {"anna": -0.90309}


def test_the_n_grams_of_a_file_are_not_those_of_the_training_transcripts(family, tmp_path):
    path = tmp_path / "domain.arpa"
    path.write_text(BIGRAMS)
    loaded = trained_with(family, path, tmp_path / "checkpoint")
    with pytest.raises(UserError, match="without a language model of its corpus's words"):
        loaded.configure_decoding(tiny(language_model="words"))


def test_the_words_of_the_training_are_there_again_behind_a_file(tmp_path):
    made = registry.build(
        tiny(tokenizer="character", language_model="words"),
        texts=TEXTS, sample_rate=16000, offline=True,
    )  # fmt: skip
    path = tmp_path / "domain.arpa"
    path.write_text(BIGRAMS)
    own = first_words(made)
    made.configure_decoding(tiny(language_model=str(path)))
    assert first_words(made) == {"call": -0.30103}
    made.configure_decoding(tiny(language_model="words"))
    assert first_words(made) == own != {"call": -0.30103}


def test_n_grams_in_upper_case_are_read_in_the_models_case(family, clips, tmp_path):
    path = tmp_path / "upper.arpa"
    kneser_ney.estimate_ngrams([text.upper() for text in TEXTS]).write(path)
    if family._labeller.cased("A") == "A":
        pytest.skip("this tokenizer writes both cases")
    family.configure_decoding(tiny(language_model=str(path)))
    assert "upper.arpa" in family.describe_decoding()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("russian.txt", "привет мир\nкак дела\n", "can be written with the model's letters"),
        ("empty.txt", "\n", "has no word"),
        ("cut.arpa", BIGRAMS.partition("-0.1549")[0], "cut short"),
        ("other.arpa", BIGRAMS.replace("anna", "анна").replace("call", "зови"), "'зови' cannot"),
        ("order.arpa", BIGRAMS.replace("\\2-grams:", "\\3-grams:"), "is due"),
        ("closed.arpa", BIGRAMS.replace("-1.0\t<unk>\n", "").replace("1=5", "1=4"), "lacks words"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(family, tmp_path, name, content, said):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        family.configure_decoding(tiny(language_model=str(path)))
    assert said in caught.value.what
    assert caught.value.fix
    family.configure_decoding(tiny())
