"""The families of architectures there are, by name.

Names are known without importing a family. What a family is and supports it says itself
(``mynah.models.family.Family``).
"""

from __future__ import annotations

from typing import Any

from mynah.config.plugins.registry import Registry, lacking

AUTO_FAMILY = "auto"  # found from the names of pretrained parts
_ROOM = "mynah.models"
# What a family cannot do without; the rest of the contract has defaults in the base class.
_CONTRACT = (
    "build", "load", "save", "features", "labels", "output_length", "impossible", "collate",
    "loss", "transcribe", "parameter_table", "base_revisions", "model_types",
)  # fmt: skip


def _wrong(found: object) -> str | None:
    """What a plug-in's family lacks of the contract."""
    wrong = lacking(found, _CONTRACT)
    return f"{wrong} (see mynah.models.family.Family)" if wrong else None


# In the order in which they are asked whether they take an architecture.
FAMILIES: Registry[Any] = Registry(
    "family",
    "mynah.families",
    {
        "ctc": f"{_ROOM}.ctc.family:CTC",
        "transducer": f"{_ROOM}.transducer.family:Transducer",
        "seq2seq": f"{_ROOM}.seq2seq.family:Seq2Seq",
        "audio_llm": f"{_ROOM}.audio_llm.family:AudioLLM",
        "speech_llm": f"{_ROOM}.speech_llm.family:SpeechLLMFamily",
    },
    _wrong,
)


def family_choices() -> tuple[str, ...]:
    """All that ``model.family`` takes."""
    return (AUTO_FAMILY, *FAMILIES.names)
