"""Transcripts from public reports: what is learned of a corpus, and what a perfect model scores.

The right texts were written down by hand; rates are 0, since what is learned is what is said.
"""

from __future__ import annotations

import unicodedata

import pytest
from data_helpers import settings, write_tone

from mynah.data.preparation.prepare import prepare
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.score import score

PERSIAN = ["می‌خواهم کتاب‌ها را ببینم", "نمی‌دانم چه می‌شود"]
CASES = {
    # name -> settings, language, (as it is written, words as they are learned)
    "persian": (
        {"strip_punctuation": True},
        "",
        [(text, text.replace("\u200c", "")) for text in PERSIAN],
    ),
    "sinhala": ({"strip_punctuation": True}, "si", [("ශ්‍රී ලංකාව.", "ශ්රී ලංකාව")]),
    "khmer": ({"strip_punctuation": True}, "km", [("ខ្ញុំ​ចូលចិត្ត", "ខ្ញុំចូលចិត្ត")]),
    "a soft hyphen": ({"strip_punctuation": True}, "de", [("Donau\u00addampfer", "Donaudampfer")]),
    "turkish": (
        {"text_case": "lower"},
        "tr",
        [("IŞIK İSTANBUL", "ışık istanbul"), ("Isparta ve İzmir", "ısparta ve izmir")],
    ),
    "not turkish": ({"text_case": "lower"}, "en", [("İZMİR", "izmir")]),
    "emoji": (
        {"text_case": "lower", "strip_punctuation": True},
        "en",
        [("I love you ❤️ so much", "i love you so much"), ("press 1️⃣ now", "press 1 now")],
    ),
    "tags that are taken out": (
        {"annotations": ["usual"]},
        "en",
        [
            ("so <unk> we went home", "so we went home"),
            ("then <pad> we came", "then we came"),
            ("<noise> good day <unk>", "good day"),
            ("<|0.00|> good day<|2.00|>", "good day"),
        ],
    ),
    "tags that stay": ({}, "en", [("so <unk> we went home", "so <unk> we went home")]),
}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", CASES)
def test_a_perfect_model_of_what_is_learned_makes_no_errors(name, form, tmp_path):
    changed, language, rows = CASES[name]
    for split in ("train", "test"):
        lines = ["file_name\ttext\tlanguage"]
        for number, (text, _) in enumerate(rows):
            seconds = 1.0 + 0.1 * number + (split == "test") * 0.05
            write_tone(tmp_path / "corpus" / split / f"{number}.wav", seconds)
            lines.append(f"{number}.wav\t{unicodedata.normalize(form, text)}\t{language}")
        listing = tmp_path / "corpus" / split / "metadata.tsv"
        listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = settings(
        tmp_path, dataset_name="corpus", train_splits=["train"], eval_splits=["test"], **changed
    )
    data = prepare(config, working_directory=tmp_path)
    learned = list(data.train.texts)
    assert learned == [unicodedata.normalize("NFC", words) for _, words in rows]

    (measured,) = data.evaluation.values()
    hypotheses = [
        Hypothesis(id=one, reference=text, text=said, duration_seconds=1.0, language=spoken)
        for one, text, said, spoken in zip(
            measured.ids, measured.texts, learned, measured.languages, strict=True
        )
    ]
    found = score(hypotheses, normalizer="basic", bootstrap_samples=0, bootstrap_seed=0)
    assert found.edits.substitutions + found.edits.deletions + found.edits.insertions == 0
    assert found.words > 0
