"""Lists of words that are empty are known before anything is loaded."""

import pytest

from mynah.config.checks.check import check
from mynah.config.naming.context_file import is_empty
from mynah.config.origins import Origin
from mynah.config.schema import Config
from mynah.errors import ConfigErrors


@pytest.mark.parametrize(
    ("content", "empty"),
    [
        (b"", True),
        (b"\xef\xbb\xbf\n  \n# names\n", True),
        (b"# names\nZoe\n", False),
        (b"\xff\xfe", False),  # not text: said where it is read
    ],
)
def test_a_list_has_a_word_or_none(tmp_path, content, empty):
    (tmp_path / "names.txt").write_bytes(content)
    assert is_empty(tmp_path / "names.txt") == empty


def test_an_empty_list_is_a_mistake_of_the_settings(tmp_path):
    (tmp_path / "names.txt").write_text("# names\n")
    config = Config()
    config.model.context_file = str(tmp_path / "names.txt")
    typed = Origin("command line", f"model.context_file={config.model.context_file}")
    with pytest.raises(ConfigErrors) as caught:
        check(config, {"model.context_file": typed})
    assert "has no word" in caught.value.errors[0].what
