"""A Whisper that knows English alone, and corpora of other languages."""

from __future__ import annotations

import json
import shutil

import pytest
from tiny_models import TEXTS, tiny

from mynah.config.naming.one_corpus import named_languages
from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.models import registry

ENGLISH = "whisper_asr_english"


def check(folder, **languages):
    """Look at a model as a training does, before anything is prepared."""
    config = Config()
    config.model = tiny(pretrained=str(folder), language=languages.get("model"))
    config.data.language = languages.get("data")
    config.data.mixture = {
        name: {"language": language} for name, language in languages.get("mixture", {}).items()
    }
    return registry.check_model(
        config.model, sample_rate=16000, offline=True, languages=named_languages(config)
    )


@pytest.mark.parametrize(
    ("languages", "where"),
    [
        ({"model": "de"}, "model.language=de"),
        ({"data": "de"}, "data.language=de"),
        ({"data": "German"}, "data.language=German"),
        ({"mixture": {"one": "en", "two": "uk"}}, "data.mixture.two.language=uk"),
    ],
)
def test_another_language_is_refused_with_a_model_that_knows_it(checkpoints, languages, where):
    with pytest.raises(UserError) as caught:
        check(checkpoints(ENGLISH), **languages)
    assert caught.value.where == where
    assert "model.pretrained=openai/whisper-tiny " in caught.value.fix


@pytest.mark.parametrize("language", ["en", "en-US", "EN", "English", None])
def test_english_is_english_however_it_is_written(checkpoints, language):
    assert check(checkpoints(ENGLISH), data=language, model=language).build(TEXTS)


def test_the_multilingual_one_of_the_same_size_is_named(checkpoints, tmp_path):
    folder = tmp_path / "whisper-base.en"
    shutil.copytree(checkpoints(ENGLISH), folder)
    with pytest.raises(UserError) as caught:
        check(folder, data="fr")
    assert "model.pretrained=openai/whisper-base " in caught.value.fix


def test_a_multilingual_one_knows_others(checkpoints):
    check(checkpoints("whisper_asr"), data="de", model="de")


def test_without_its_own_word_the_size_of_the_vocabulary_tells(checkpoints, tmp_path):
    folder = tmp_path / "whisper"
    shutil.copytree(checkpoints(ENGLISH), folder)
    file = folder / "generation_config.json"
    written = json.loads(file.read_text())
    written.pop("is_multilingual")
    file.write_text(json.dumps(written))
    with pytest.raises(UserError, match="English alone"):
        check(folder, data="de")


def test_rows_of_another_language_are_refused_before_training(checkpoints):
    family = check(checkpoints(ENGLISH)).build(TEXTS)
    family.check_languages({"en", ""})
    with pytest.raises(UserError, match="English alone, and not 'de'"):
        family.check_languages({"en", "de"})
