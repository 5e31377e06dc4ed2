"""The text policy of training transcripts."""

import pytest

from mynah.config.schema import DataConfig
from mynah.data.text import prepare_text

HINDI = "\u0928\u092e\u0938\u094d\u0924\u0947"  # its vowel signs are marks, no punctuation


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("  Two \t words\n", {}, "Two words"),
        ("HELLO There", {"text_case": "lower"}, "hello there"),
        ("Don't, please; stop!", {"strip_punctuation": True}, "Don't please stop"),
        ("the boys' toys 'quoted'", {"strip_punctuation": True}, "the boys toys quoted"),
        ("rock\u2019n\u2019roll", {"strip_punctuation": True}, "rock'n'roll"),
        ("a-b c.d 3,5", {"strip_punctuation": True}, "a b c d 3 5"),
        ("e\u0301tude", {}, "\u00e9tude"),
        (f"{HINDI}!", {"strip_punctuation": True}, HINDI),
    ],
)  # fmt: skip
def test_a_transcript_becomes_what_the_settings_say(text, changed, expected):
    assert prepare_text(text, DataConfig(**changed)) == expected
