"""A CTM file with a line for each character of a script without spaces."""

from __future__ import annotations

import pytest

from mynah.evaluation.comparing.files import read_hypotheses, read_references, with_references
from mynah.evaluation.score import score

CHARACTERS = "今 天 天 气 很 好 hello"
WORDS = "今天 天气 很好 hello"


def scored(folder, said, recognized):
    """The error rates of segments of ten seconds, a line each, by name."""
    segments = [f"talk 1 anna {10 * n} {10 * n + 10} {t}\n" for n, t in enumerate(said.split("\n"))]
    (folder / "ref.stm").write_text("".join(segments), encoding="utf-8")
    lines = [
        f"talk 1 {10 * number + at} 1 {word}\n"
        for number, words in enumerate(recognized.split("\n"))
        for at, word in enumerate(words.split())
    ]
    (folder / "hyp.ctm").write_text("".join(lines), encoding="utf-8")
    reference = read_references(folder / "ref.stm")
    system = with_references(reference, read_hypotheses(folder / "hyp.ctm"), "hyp.ctm")
    found = score(system.hypotheses, normalizer="basic", bootstrap_samples=0, bootstrap_seed=0)
    return {name: round(one.value, 4) for name, one in found.measures.items()}


@pytest.mark.parametrize(
    ("said", "recognized"),
    [
        ("今天天气很好 hello", CHARACTERS),
        (WORDS, WORDS),
        (CHARACTERS, CHARACTERS),
        ("สวัสดีครับ", "ส วั ส ดี ค รั บ"),
    ],
)
def test_spaces_that_a_file_of_characters_cannot_tell_make_no_errors(tmp_path, said, recognized):
    assert scored(tmp_path, said, recognized) == {"mer": 0.0, "cer": 0.0}


def test_a_wrong_character_is_one_error(tmp_path):
    # Of 12 characters: six ideographs, a space, and five letters.
    found = scored(tmp_path, "今天天气很好 hello", CHARACTERS.replace("很", "真"))
    assert found == {"mer": round(1 / 7, 4), "cer": round(1 / 12, 4)}


@pytest.mark.parametrize("one", ["东京", "2024年"])
def test_references_with_spaces_stay_so_where_one_word_of_them_has_none(tmp_path, one):
    said = f"{CHARACTERS}\nin {one}"
    recognized = said.replace("东京", "东 京").replace("2024年", "2024 年")
    # One space too many, of 17 characters and those of the second segment; had the first segment
    # no spaces, it alone would lack five.
    assert scored(tmp_path, said, recognized)["cer"] == round(1 / (17 + len(f"in {one}")), 4)
