"""CTC beam search on real utterances, beside flashlight-text's with the same n-grams and weights.

    python benchmarks/flashlight_beams.py MODEL CORPUS [--split test] [--utterances 100] [--beam 50]

MODEL is a checkpoint of a CTC model by letters with n-grams of words (model.language_model), CORPUS
what data.dataset_name takes. flashlight-text (Python 3.11 and 3.12) searches the same probabilities
in two ways: letter by letter with Mynah's own scorer, which compares the searches alone; and word
by word with KenLM's reading of the ARPA file, in a lexicon of its words. Printed are the shares of
equal transcripts, and each difference with what both transcripts are worth, over all alignments and
by the n-grams (as the definition has it, not by either search): where Mynah's is worth more,
flashlight's search lost it, adds up transcripts that end in the same words, or cannot write it.
"""

from __future__ import annotations

import argparse
import itertools
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flashlight.lib.text import decoder as flashlight
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

import mynah
from mynah.models.ctc.beam_search import search
from mynah.models.fusion.scorer import State, WordScorer
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

_NEVER = -1e4  # the log probability of what no transcript has
_ALL = 1e4  # nats: a window that leaves nothing out


@dataclass(frozen=True)
class Letters:
    """A CTC model's letters, its n-grams and the weight of these.

    Attributes:
        pieces: The character of each label.
        blank: The label that writes nothing.
        labels: How many labels there are.
        ngrams: The n-grams.
        weight: Their power.
    """

    pieces: dict[int, str]
    blank: int
    labels: int
    ngrams: WordNgrams
    weight: float

    @property
    def by_letter(self) -> dict[str, int]:
        """The label of each character."""
        return {letter: label for label, letter in self.pieces.items()}

    @property
    def space(self) -> int:
        """The label of the space."""
        return self.by_letter[" "]

    def scorer(self) -> WordScorer:
        """What joins the beam."""
        return WordScorer(self.ngrams, self.pieces, weight=self.weight, word_bonus=0.0)

    def text(self, labels: Sequence[int]) -> str:
        """What labels write."""
        return " ".join("".join(self.pieces[label] for label in labels).split())

    def ours(self, emissions: np.ndarray, beam: int) -> str:
        """The transcript of Mynah's search."""
        options = {"blank": self.blank, "beam_size": beam, "written": sorted(self.pieces)}
        return self.text(search(emissions, scorer=self.scorer(), **options))  # type: ignore[arg-type]

    def worth(self, emissions: np.ndarray, text: str) -> float:
        """Log probability of all alignments of a text, by torch, and of its words, weighted."""
        import torch

        labels = [self.by_letter[letter] for letter in text]
        lengths = torch.tensor([len(emissions)]), torch.tensor([len(labels)])
        given = torch.from_numpy(emissions.astype(np.float64))[:, None]
        loss = torch.nn.functional.ctc_loss(
            given, torch.tensor([labels]), *lengths, blank=self.blank, reduction="sum"
        )
        history, found = self.ngrams.start, -float(loss)
        for word in [*text.split(), SENTENCE_END]:
            found += self.weight * self.ngrams.log_word(history, word)
            history = self.ngrams.after(history, word)
        return found


class OurScorer(flashlight.LM):  # type: ignore[misc]
    """Mynah's scorer as a language model of flashlight's."""

    def __init__(self, letters: Letters) -> None:
        super().__init__()
        self._letters = letters
        self._scorer = letters.scorer()
        self._at: dict[flashlight.LMState, State] = {}

    def start(self, start_with_nothing: bool) -> flashlight.LMState:
        first = flashlight.LMState()
        self._at = {first: self._scorer.start()}
        return first

    def score(self, state: flashlight.LMState, token: int) -> tuple[flashlight.LMState, float]:
        after = state.child(token)
        worth = 0.0
        if token in self._letters.pieces:
            self._at[after], worth = self._scorer.step(self._at[state], token)
        else:
            self._at[after] = self._at[state]
        return after, worth

    def finish(self, state: flashlight.LMState) -> tuple[flashlight.LMState, float]:
        return state, self._scorer.finish(self._at[state])


def by_letters(letters: Letters, emissions: Sequence[np.ndarray], beam: int) -> list[str]:
    """Transcripts of flashlight's search by letters, with Mynah's scorer."""
    options = flashlight.LexiconFreeDecoderOptions(
        beam_size=beam, beam_size_token=8, beam_threshold=_ALL, lm_weight=1.0, sil_score=0.0,
        log_add=True, criterion_type=flashlight.CriterionType.CTC,
    )  # fmt: skip
    no_silence = letters.labels  # the space is a letter as others
    scorer = OurScorer(letters)
    decoder = flashlight.LexiconFreeDecoder(options, scorer, no_silence, letters.blank, [])
    found = []
    for one in emissions:
        given = _given(letters, one)
        (best, *_) = decoder.decode(given.ctypes.data, len(given), letters.labels)
        path = [label for label, _ in itertools.groupby(best.tokens)]
        found.append(letters.text([label for label in path if label in letters.pieces]))
    return found


def by_words(letters: Letters, emissions: Sequence[np.ndarray], beam: int, arpa: Path) -> list[str]:
    """Transcripts of flashlight's search in a lexicon, with KenLM's reading of an ARPA file.

    Each of its words ends in a space, so that each utterance is given one more frame, a space's.
    """
    words = [word for word in letters.ngrams.vocabulary if letters.by_letter.keys() >= set(word)]
    dictionary = Dictionary()
    for word in (*words, "<unk>"):
        dictionary.add_entry(word)
    kenlm = KenLM(str(arpa), dictionary)
    lexicon = flashlight.Trie(letters.labels, letters.space)
    begin = kenlm.start(False)
    for word in words:
        number = dictionary.get_index(word)
        spelling = [letters.by_letter[letter] for letter in f"{word} "]
        lexicon.insert(spelling, number, kenlm.score(begin, number)[1])
    lexicon.smear(flashlight.SmearingMode.MAX)
    options = flashlight.LexiconDecoderOptions(
        beam_size=beam, beam_size_token=letters.labels, beam_threshold=_ALL,
        lm_weight=letters.weight * math.log(10), word_score=0.0, unk_score=-math.inf,
        sil_score=0.0, log_add=True, criterion_type=flashlight.CriterionType.CTC,
    )  # fmt: skip
    unknown = dictionary.get_index("<unk>")
    decoder = flashlight.LexiconDecoder(
        options, lexicon, kenlm, letters.space, letters.blank, unknown, [], False
    )
    space = np.full((1, letters.labels), _NEVER, dtype=np.float32)
    space[0, letters.space] = 0.0
    found = []
    for one in emissions:
        given = np.concatenate([_given(letters, one), space])
        (best, *_) = decoder.decode(given.ctypes.data, len(given), letters.labels)
        found.append(" ".join(dictionary.get_entry(word) for word in best.words if word >= 0))
    return found


def _given(letters: Letters, emissions: np.ndarray) -> np.ndarray:
    """Emissions without what no transcript has, float32 [frames, labels]."""
    kept = [*letters.pieces, letters.blank]
    given = np.full(emissions.shape, _NEVER, dtype=np.float32)
    given[:, kept] = np.maximum(emissions[:, kept], _NEVER)
    return given


def compare(letters: Letters, emissions: Sequence[np.ndarray], ours: list[str], theirs: list[str],
            name: str) -> None:  # fmt: skip
    """Print the share of equal transcripts, and each difference."""
    pairs = list(zip(emissions, ours, theirs, strict=True))
    print(f"{name}: {sum(our == their for _, our, their in pairs)} of {len(pairs)} are equal")
    known = set(letters.ngrams.vocabulary)
    for one, our, their in pairs:
        if our != their:
            new = [word for word in our.split() if word not in known]
            print(
                f"  {our!r} ({letters.worth(one, our):.2f}), flashlight {their!r} "
                f"({letters.worth(one, their):.2f}){f', new words: {new}' if new else ''}"
            )


def main() -> None:
    """Print how many transcripts are equal, and those that are not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--split", default="test")
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--beam", type=int, default=50, help="of all searches")
    arguments = parser.parse_args()
    from mynah.models import registry
    from mynah.models.ctc.family import CTC

    family = registry.load_family(Path(arguments.model), offline=True)
    assert isinstance(family, CTC) and family._beam is not None, "a CTC model with n-grams"
    corpus = mynah.prepare(
        arguments.corpus, [f"data.train_splits=[{arguments.split}]", "data.eval_splits=[]"]
    )
    rows = range(min(arguments.utterances, len(corpus)))
    emissions = family.log_posteriors([corpus.read_audio(row) for row in rows])
    words = family._beam
    assert words._ngrams is not None
    letters = Letters(
        words._pieces, family.blank, emissions[0].shape[1], words._ngrams, words._settings.weight
    )
    ours = [letters.ours(one, arguments.beam) for one in emissions]
    name = f"beam of {arguments.beam}"
    theirs = by_letters(letters, emissions, arguments.beam)
    compare(letters, emissions, ours, theirs, f"by letters, Mynah's scorer, {name}")
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder) / "words.arpa"
        words._ngrams.model.write(arpa)
        theirs = by_words(letters, emissions, arguments.beam, arpa)
    compare(letters, emissions, ours, theirs, f"by words, KenLM, {name}")


if __name__ == "__main__":
    main()
