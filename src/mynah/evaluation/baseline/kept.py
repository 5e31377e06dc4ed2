"""What a base recognized, kept for the next run and for the jobs of a sweep.

Texts are kept as they were written, so that another normaliser or another metric scores them
again without decoding.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation.hypothesis import Hypothesis
from mynah.files import alone, read_json, write_json

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus

_FORMAT = 1  # raised when the same weights would be made to write other texts


@dataclass(frozen=True)
class KeptHypotheses:
    """What was kept of one measurement.

    Attributes:
        hypotheses: One an utterance.
        seconds: Time that decoding them took.
    """

    hypotheses: list[Hypothesis]
    seconds: float


@dataclass(frozen=True)
class KeptPlace:
    """The file of one measurement.

    Args:
        cache: Where prepared data lies.
        about: What the texts depend on, beside the utterances: weights, decoding, versions.
    """

    cache: Path
    about: Mapping[str, object]

    def file(self, corpus: Corpus) -> Path:
        """Where the texts of a corpus are kept: another place for whatever may change one."""
        all_of_it = {
            "format": _FORMAT,
            "corpus": corpus.fingerprint,
            "sample_rate": corpus.sample_rate,
            **self.about,
        }
        text = json.dumps(all_of_it, sort_keys=True, default=str)
        return self.cache / "baselines" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"

    def read(self, corpus: Corpus) -> KeptHypotheses | None:
        """What was kept of a corpus; None where nothing was, or the file is damaged."""
        content = read_json(self.file(corpus))
        texts, seconds = content.get("texts"), content.get("seconds")
        if content.get("ids") != list(corpus.ids) or not isinstance(seconds, int | float):
            return None
        if not isinstance(texts, list) or len(texts) != len(corpus):
            return None
        if not all(isinstance(text, str) for text in texts):
            return None
        cut = content.get("cut", [])  # not in files of before, where it is not known
        if not isinstance(cut, list) or not all(isinstance(one, str) for one in cut):
            return None
        return KeptHypotheses(_hypotheses(corpus, texts, set(cut)), float(seconds))

    def write(self, corpus: Corpus, measured: KeptHypotheses) -> None:
        """Keep a measurement. One in which decoding failed is not: it may succeed next time."""
        if any(hypothesis.error is not None for hypothesis in measured.hypotheses):
            return
        file = self.file(corpus)
        with contextlib.suppress(OSError):  # a full disk or a cache that is read-only
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(
                file,
                {
                    "about": json.loads(json.dumps(self.about, default=str)),
                    "seconds": measured.seconds,
                    "ids": list(corpus.ids),
                    "texts": [hypothesis.text for hypothesis in measured.hypotheses],
                    "cut": [one.id for one in measured.hypotheses if one.is_cut],
                },
            )

    def locked(self, corpus: Corpus) -> contextlib.AbstractContextManager[None]:
        """Let jobs that run side by side measure one after the other: the second one reads."""
        return alone(
            self.file(corpus).with_suffix(".lock"),
            waiting=lambda: console.say("Another job is measuring the same base: waiting for it"),
        )


def _hypotheses(corpus: Corpus, texts: list[str], cut: Collection[str]) -> list[Hypothesis]:
    durations, references = corpus.durations, corpus.texts
    speakers, languages, ids = corpus.speakers, corpus.languages, corpus.ids
    return [
        Hypothesis(
            id=ids[row],
            reference=references[row],
            text=text,
            duration_seconds=float(durations[row]),
            speaker=speakers[row] or None,
            language=languages[row],
            is_cut=ids[row] in cut,
        )
        for row, text in enumerate(texts)
    ]
