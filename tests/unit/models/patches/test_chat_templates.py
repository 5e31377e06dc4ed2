"""Chat templates that never end, or take all memory, are refused in seconds; others are as ever."""

import json
import time

import pytest
from tiers import fast_where
from transformers.utils import chat_template_utils as templates

from mynah.errors import UserError
from mynah.models.patches.chat_templates import try_saved, try_templates

CHAT = [[{"role": "user", "content": "Write what is said."}]]
ENDLESS = {
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "a text times a number, while it is compiled": "{{ 'x' * 10 ** 11 }}",
    "a text that doubles": "{% set t = namespace(x='x') %}{% for a in range(60) %}"
    "{% set t.x = t.x ~ t.x %}{% endfor %}{{ t.x }}",
    "a power": "{{ 10 ** (10 ** 10) }}",
    "an answer of many letters": "{{ 'x' * 2000000 }}",
}
RAISING = {
    "a range": "{% for a in range(10 ** 9) %}{% endfor %}",
    "a template that is none": "{% for a in %}",
    "its own error": "{{ raise_exception('roles must alternate') }}",
}
# What transformers' documentation shows, and what it adds to jinja: each with its right text.
RIGHT = {
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}": (
        "<|user|>Write what is said."
    ),
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}": (
        "Write what is said."
    ),
    "{{ messages[0] | tojson }}": '{"role": "user", "content": "Write what is said."}',
    "{% for m in messages %}{% break %}{% endfor %}{{ strftime_now('%Y') | length }}": "4",
}


@pytest.fixture(autouse=True)
def tried(monkeypatch):
    monkeypatch.setattr(templates, "_compile_jinja_template", templates._compile_jinja_template)
    try_templates()


def rendered(template: str) -> str:
    texts, _ = templates.render_jinja_template(conversations=CHAT, chat_template=template)
    return texts[0]


@pytest.mark.parametrize(
    "template",
    fast_where(
        lambda template: template in (ENDLESS["loops in loops"], ENDLESS["a text that doubles"]),
        ENDLESS.values(),
    ),
    ids=ENDLESS,
)
def test_a_template_without_an_end_is_refused_in_seconds(template):
    began = time.process_time()
    with pytest.raises(UserError, match="takes more time or memory than any text needs") as problem:
        rendered(template)
    assert problem.value.where and problem.value.where.startswith("chat_template: ")
    assert time.process_time() - began < 2  # of this process, which does not render it


@pytest.mark.parametrize("template", RAISING.values(), ids=RAISING)
def test_a_template_that_raises_is_refused_with_what_it_says(template):
    with pytest.raises(UserError, match="chat template cannot be rendered"):
        rendered(template)


@pytest.mark.parametrize(("template", "text"), RIGHT.items())
def test_other_templates_give_the_text_that_they_gave(template, text):
    assert rendered(template) == text


def saved(folder, where, template):
    """Write a template as a checkpoint of transformers holds it."""
    if where.endswith(".jinja"):
        (folder / where).parent.mkdir(exist_ok=True)
        (folder / where).write_text(template)
    else:
        name, _, several = where.partition(" ")
        held = [{"name": "default", "template": template}] if several else template
        (folder / name).write_text(json.dumps({"chat_template": held}))


@pytest.mark.parametrize(
    "where",
    fast_where(
        lambda where: where in ("chat_template.jinja", "tokenizer_config.json several"),
        [
            "chat_template.jinja",
            "additional_chat_templates/tool.jinja",
            "chat_template.json",
            "processor_config.json",
            "tokenizer_config.json",
            "tokenizer_config.json several",
        ],
    ),
)
def test_the_templates_of_a_checkpoint_are_tried_in_advance(where, tmp_path):
    saved(tmp_path, where, ENDLESS["a text that doubles"])
    with pytest.raises(UserError, match="takes more time or memory than any text needs"):
        try_saved(tmp_path)


def test_a_checkpoint_without_a_template_or_with_a_right_one_is_as_ever(tmp_path):
    try_saved(tmp_path)
    for template in (next(iter(RIGHT)), RAISING["its own error"]):
        saved(tmp_path, "chat_template.jinja", template)
        try_saved(tmp_path)
