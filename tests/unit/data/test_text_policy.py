"""What becomes of training transcripts, and how it is shown."""

import pytest
from data_helpers import settings, write_folder
from hypothesis import given
from hypothesis import strategies as st

from mynah.config.schema import DataConfig
from mynah.data.preparation.prepare import prepare
from mynah.data.text import TextPolicy, prepare_text
from mynah.errors import UserError

ROWS = [("a.wav", "Mr. Smith said OK.", "a"), ("b.wav", "nothing here", "b")]


@pytest.mark.parametrize(
    ("table", "text", "expected"),
    [
        ({"Mr.": "mister"}, "Mr. Smith, Mr.", "mister Smith, mister"),
        ({"an": "one"}, "an ant and an, can", "one ant and one, can"),
        ({"ja*": "yes"}, "ja jawohl maja", "yes yeswohl maja"),
        ({"*ß*": "ss"}, "Straße ß", "Strasse ss"),
        ({"&": "and"}, "R&B & more", "RandB and more"),
        ({"new york": "NY", "new": "old"}, "new york is new", "NY is old"),
        ({"a": "b", "b": "a"}, "a b", "b a"),
        ({"<noise>": ""}, "so <noise> there", "so there"),
        ({"e\u0301": "e"}, "caf\u00e9 \u00e9", "café e"),
    ],
)
def test_a_substitution_stands_for_whole_words_unless_a_star_says_otherwise(table, text, expected):
    assert prepare_text(text, DataConfig(text_substitutions=table)) == expected


def test_case_does_not_matter_where_all_becomes_lower():
    policy = TextPolicy(lower=True, substitutions=(("Mr.", "Mister"),))
    assert policy.apply("MR. and mr.") == "mister and mister"


def test_substitutions_are_made_before_punctuation_goes():
    policy = TextPolicy(strip_punctuation=True, substitutions=(("%", " percent"),))
    assert policy.apply("5%, or so") == "5 percent or so"


@given(st.text(max_size=40))
def test_the_policy_changes_nothing_more_when_applied_again(text):
    policy = TextPolicy(lower=True, strip_punctuation=True)
    once = policy.apply(text)
    assert policy.apply(once) == once


def prepared(tmp_path, **changed):
    write_folder(tmp_path / "mine", ROWS)
    config = settings(tmp_path, dataset_name="mine", eval_splits=[], **changed)
    return prepare(config, working_directory=tmp_path)


def test_what_changes_is_shown_and_counted(tmp_path, capsys):
    (tmp_path / "table.tsv").write_text("# comment\nMr.\tmister\n\nOK\tokay\n", encoding="utf-8")
    data = prepared(tmp_path, text_substitutions_file="table.tsv", strip_punctuation=True)
    assert data.train.texts == ["mister Smith said okay", "nothing here"]
    changes = data.report["splits"]["train"]["text_changes"]
    assert (changes["changed"], changes["of"]) == (1, 2)
    assert changes["examples"] == [
        {"before": "Mr. Smith said OK.", "after": "mister Smith said okay"}
    ]
    reported = capsys.readouterr().out
    assert "1 of 2 are changed" in reported and "mister Smith said okay" in reported
    assert data.report["splits"]["train"]["words"] == 6


def test_nothing_is_shown_where_nothing_changes(tmp_path, capsys):
    write_folder(tmp_path / "mine", [("a.wav", "small letters", "a")])
    config = settings(tmp_path, dataset_name="mine", eval_splits=[], text_case="lower")
    prepare(config, working_directory=tmp_path)
    assert "Transcripts of" not in capsys.readouterr().out


def test_what_is_typed_goes_before_the_file(tmp_path):
    (tmp_path / "t.tsv").write_text("OK\tfine\n")
    config = DataConfig(text_substitutions_file="t.tsv", text_substitutions={"OK": "okay"})
    assert TextPolicy.of(config, tmp_path).apply("OK") == "okay"


@pytest.mark.parametrize("content", [b"one column\n", b"a\tb\tc\n", b"\tb\n", b"\xff\xfe\x00"])
def test_a_table_that_is_none_is_named_with_its_line(tmp_path, content):
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        TextPolicy.of(DataConfig(text_substitutions_file="t.tsv"), tmp_path)
    assert "t.tsv" in str(caught.value)


def test_a_fingerprint_tells_one_policy_from_another_where_texts_differ(tmp_path):
    kept, lowered = prepared(tmp_path).train, prepared(tmp_path, text_case="lower").train
    assert kept.fingerprint != lowered.fingerprint
