"""What is learned and what is scored are the same words, in every script.

The promise is a property, so its right value is 0 errors, counted by jiwer.
"""

from __future__ import annotations

import sys
import unicodedata

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynah.data.characters import lower, without_punctuation
from mynah.data.text import TextPolicy
from mynah.evaluation.normalize import get_normalizer

POLICIES = [
    TextPolicy(lower=low, strip_punctuation=strip)
    for low in (False, True)
    for strip in (False, True)
]
BASIC = get_normalizer("basic")
# A sentence or two as they are written: joiners, marks, signs and punctuation of each script.
SENTENCES = {
    "Persian": "می‌خواهم کتاب‌ها را ببینم؛ نمی‌دانم چه می‌شود؟",
    "Arabic": "ذَهَبَ الوَلَدُ، إلى المَدرَسَةِ. ٣٫٥٪",
    "Urdu": "یہ کیا ہے؟ میں نے کہا۔",
    "Hebrew": 'שָׁלוֹם, צה"ל אמר: "כן־לא".',
    "Hindi": "हिन्दी में। क्या? क्‍ष",
    "Bengali": "আমি বাংলায় গান গাই। ক্‍ষ",
    "Sinhala": "ශ්‍රී ලංකාව, ක්‍රියාව.",
    "Malayalam": "അവന്‍ പറഞ്ഞു: 'ശരി'.",
    "Tamil": "தமிழ் மொழி, நன்றி!",
    "Khmer": "ខ្ញុំ​ចូលចិត្ត​ភាសា​ខ្មែរ។",
    "Thai": "สวัสดีครับ ๆ ผมชื่อ…",
    "Burmese": "မြန်မာစာ၊ ကောင်းသည်။",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས།",
    "Amharic": "ሰላም፣ እንዴት ነህ?",
    "Georgian": "გამარჯობა, როგორ ხარ?",
    "Armenian": "Բարեւ՛, ինչպե՞ս ես։",
    "Greek": "Ὀδυσσεύς, ΟΔΟΣ.ΑΒ· ναί;",
    "Russian": "Ёлка, «подъём» — да!",
    "German": "Straße, Grüße – »ja«; geht’s? do\u00adnau",
    "Turkish": "IŞIK İSTANBUL'da; Isparta ve İzmir.",
    "Vietnamese": "Tiếng Việt, xin chào!",
    "Chinese": "你好，世界！「是」。",
    "Japanese": "こんにちは、世界。ｶﾀｶﾅ・ー",
    "Korean": "안녕하세요, 세계! ㅋㅋ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ᠋ ᠪᠢᠴᠢᠭ᠂",
    "English": "I love you ❤️ so much; press 1️⃣ now, don’t ‘go’ — it's 5 %, Acme™ № 3.",
    "emoji": "yes 👩‍👩‍👧 no 👍🏽 🇩🇪",
}


def errors(reference: str, hypothesis: str) -> float:
    """Word error rate of two normalised texts; an empty reference allows nothing."""
    return jiwer.wer(reference, hypothesis) if reference else float(bool(hypothesis))


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_transcript_as_it_is_learned_has_no_errors_against_its_own_reference(name, policy, form):
    written = unicodedata.normalize(form, SENTENCES[name])
    language = "tr" if name == "Turkish" else ""
    learned = policy.apply(written, language)
    assert errors(BASIC(written, language), BASIC(learned, language)) == 0


@given(st.text(max_size=30), st.sampled_from(["", "tr", "az", "de"]), st.sampled_from(POLICIES))
def test_any_text_is_learned_as_it_is_scored(text, language, policy):
    assert BASIC(policy.apply(text, language), language) == BASIC(text, language)


def test_every_character_is_learned_as_it_is_scored():
    letters = 0
    for code in range(sys.maxunicode + 1):
        one = chr(code)
        category = unicodedata.category(one)
        if category in ("Cn", "Cs", "Co"):
            continue
        letters += category == "Lo"
        if category == "Lo" and letters % 40:  # Han and Hangul are tens of thousands
            continue
        for text in (f"a{one}b", f"A {one}{one}"):
            for policy in POLICIES[1:]:
                assert BASIC(policy.apply(text)) == BASIC(text), f"U+{code:04X} {policy}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I love you ❤️ so much", "i love you so much"),
        ("press 1️⃣ now", "press 1 now"),
        ("yes 👩‍👩‍👧 no 👍🏽", "yes no"),
        ("می‌خواهم", "میخواهم"),
        ("İstanbul", "istanbul"),
        ("don’t", "don't"),
    ],
)
def test_no_invisible_word_is_left_in_training_or_in_scores(text, expected):
    learned = TextPolicy(lower=True, strip_punctuation=True).apply(text)
    assert learned == expected == BASIC(text)


@pytest.mark.parametrize("language", ["tr", "az"])
def test_turkish_and_azerbaijani_have_an_i_without_a_dot(language):
    policy = TextPolicy(lower=True)
    assert policy.apply("IŞIK İSTANBUL", language) == "ışık istanbul"
    assert BASIC("IŞIK İSTANBUL", language) == "ışık istanbul"
    assert policy.apply(unicodedata.normalize("NFD", "IŞIK İSTANBUL"), language) == "ışık istanbul"


def test_elsewhere_a_dotted_capital_is_an_i_without_a_combining_dot():
    assert lower("İZMİR Isparta") == "izmir isparta" == BASIC("İZMİR Isparta")


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_text_in_ascii_is_what_any_text_is(text):
    beyond = without_punctuation(text + " é")  # which goes the long way
    assert without_punctuation(text).split() == beyond.split()[:-1]


def test_a_persian_word_stays_one_word():
    assert len(without_punctuation("می‌خواهم کتاب‌ها را ببینم").split()) == 4
