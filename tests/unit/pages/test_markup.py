"""HTML that no text can break out of."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from mynah.pages.markup import Markup, escape, join, tag


class _Parsed(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, attributes))

    def handle_data(self, data):
        self.text += data


@given(st.text(alphabet="<>&\"'ab/= !-;#", max_size=30))
def test_any_text_stays_text_in_an_element_and_in_an_attribute(text):
    parsed = _Parsed(tag("p", text, title=text))
    assert [name for name, _ in parsed.tags] == ["p"]
    assert parsed.tags[0][1] == [("title", text)]
    assert parsed.text == text


def test_markup_is_nested_as_it_is_but_never_trusted_in_an_attribute():
    inner = tag("b", "x")
    assert tag("p", inner, "<") == "<p><b>x</b>&lt;</p>"
    assert tag("p", title=Markup('"><script>')) == '<p title="&quot;&gt;&lt;script&gt;"></p>'


def test_attributes_are_written_as_html_has_them():
    made = tag("input", class_="a", aria_label="b", hidden=True, checked=False, value=None)
    assert made == '<input class="a" aria-label="b" hidden>'


def test_children_may_be_nested_and_missing():
    assert join(["a", None, ["b", ["&"]], (tag("i", 1),)]) == "ab&amp;<i>1</i>"
    assert escape(3) == "3"
