"""What is said of the architectures: on the page, and of all that transformers lists."""

import pytest
from architectures import ARCHITECTURES, CHECKS
from table import PAGE, page, supported

from mynah.models.audio_llm.registry import ARCHITECTURES as AUDIO_LLMS
from mynah.models.audio_llm.registry import UNSUPPORTED_AUDIO_LLMS
from mynah.models.seq2seq import registry as seq2seq
from mynah.models.speech_llm import encoders


def test_the_page_says_what_the_checks_find():
    assert PAGE.read_text(encoding="utf-8") == page(), "write it: python tests/matrix/table.py"


def test_thirty_architectures_train_adapt_save_and_load():
    recognizers = [name for family, name in supported() if family != "speech_llm"]
    assert len(recognizers) >= 30


def test_every_line_has_a_name_of_its_own_and_fails_checks_that_there_are():
    assert len({one.id for one in ARCHITECTURES}) == len(ARCHITECTURES)
    assert all(one.fails.keys() <= CHECKS.keys() for one in ARCHITECTURES)


@pytest.mark.parametrize(
    ("family", "lists"),
    [
        ("ctc", ["CTC"]),
        ("transducer", ["RNNT", "TDT"]),
        ("seq2seq", ["SPEECH_SEQ_2_SEQ"]),
    ],
)
def test_no_architecture_that_transformers_lists_is_forgotten(family, lists):
    from transformers.models.auto import modeling_auto

    listed = {k for one in lists for k in getattr(modeling_auto, f"MODEL_FOR_{one}_MAPPING_NAMES")}
    refused = {*seq2seq.UNSUPPORTED, *UNSUPPORTED_AUDIO_LLMS}
    # Some speech LLMs are listed beside the sequence-to-sequence models.
    assert listed - refused - names("audio_llm") == names(family)


def test_every_speech_llm_that_is_supported_is_checked():
    assert names("audio_llm") == set(AUDIO_LLMS.own)
    # Those that are encoders and nothing else are checked as parts of what they are cut from.
    alone = {"parakeet_encoder", "lasr_encoder"}
    assert names("speech_llm") == set(encoders.SPEECH_ENCODERS) - alone


def names(family):
    return {one.name for one in ARCHITECTURES if one.family == family}
