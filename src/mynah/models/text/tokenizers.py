"""Tokenizers trained on the corpus, blank included; and the text of any tokenizer's labels."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

BLANK = "<pad>"  # CTC's blank is the padding token, as everywhere in transformers
UNKNOWN = "<unk>"
WORD_START = "▁"  # stands for the space before a word, as in SentencePiece


def train_tokenizer(texts: Iterable[str], *, kind: str, vocab_size: int) -> Any:
    """Train a CTC tokenizer that ``AutoTokenizer`` loads and that collapses repeats.

    Args:
        texts: Transcripts, prepared as training sees them.
        kind: ``"bpe"`` or ``"character"``.
        vocab_size: Pieces of a BPE tokenizer, blank and unknown included; characters
            that the texts have are always in it.

    Returns:
        A ``ParakeetTokenizer`` whose padding token, id 0, is the blank.

    Raises:
        UserError: The texts hold no letter, or more characters than ``vocab_size`` pieces.
    """
    from transformers import ParakeetTokenizer

    texts = [text for text in texts if text.strip()]
    characters = Counter("".join(texts))
    characters.pop(" ", None)
    if not characters:
        raise UserError(
            "The training transcripts are empty, so no tokenizer can be trained on them.",
            where="data.train_splits",
            fix="Check that the corpus has transcripts: `columns` maps your header to `text`.",
        )
    alphabet = [WORD_START, *sorted(characters)]
    if kind == "character":
        tokenizer = _of_characters(alphabet)
    elif len(alphabet) + 2 > vocab_size:
        raise UserError(
            f"The transcripts have {len(characters)} different characters, more than "
            f"{vocab_size} pieces can hold.",
            where="model.vocab_size",
            fix=f"model.vocab_size={2 * (len(alphabet) + 2)}, or model.tokenizer=character",
        )
    else:
        tokenizer = _of_pieces(alphabet, texts, vocab_size)
    return ParakeetTokenizer(
        tokenizer_object=tokenizer,
        pad_token=BLANK,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def _of_characters(alphabet: Sequence[str]) -> Tokenizer:
    from tokenizers import models

    labels = {piece: label for label, piece in enumerate([BLANK, UNKNOWN, *alphabet])}
    return _marking_words(models.BPE(vocab=labels, merges=[], unk_token=UNKNOWN), prepend="never")


def _of_pieces(alphabet: list[str], texts: Iterable[str], vocab_size: int) -> Tokenizer:
    from tokenizers import models, trainers

    tokenizer = _marking_words(models.BPE(unk_token=UNKNOWN), prepend="always")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BLANK, UNKNOWN],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _marking_words(model: BPE, *, prepend: str) -> Tokenizer:
    """A tokenizer that writes the space before a word as SentencePiece does."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=WORD_START, prepend_scheme=prepend
    )
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme=prepend)
    return tokenizer


def load_ctc_tokenizer(name: str, **options: Any) -> Any:
    """A CTC model's tokenizer as it was published.

    Args:
        name: A folder or a name of the hub.
        **options: Of ``from_pretrained``.

    Raises:
        OSError, ValueError, TypeError: There is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    # transformers reads the delimiter of words as one more special token, and continues with "|".
    read = tokenizer.init_kwargs.get("model_specific_special_tokens") or {}
    if delimiter := read.get("word_delimiter_token"):
        tokenizer._word_delimiter_token = str(delimiter)  # its own setter is never reached
        tokenizer.init_kwargs["word_delimiter_token"] = str(delimiter)
    return tokenizer


def pieces_of(tokenizer: Any) -> dict[int, str]:
    """The characters of each label that is not a special one; a space begins another word."""
    space = getattr(tokenizer, "word_delimiter_token", None) or WORD_START
    special = set(tokenizer.all_special_tokens) - {space}
    return {
        label: piece.replace(space, " ").replace(WORD_START, " ")
        for piece, label in tokenizer.get_vocab().items()
        if piece not in special
    }


def text_of(tokenizer: Any, labels: Sequence[int]) -> str:
    """The text of labels, without special tokens and without space at its ends.

    Args:
        tokenizer: Any of transformers.
        labels: Token ids that are all written, equal neighbours too: of a CTC model's labels a
            frame, what is left once repeats are joined and then blanks dropped.
    """
    options = {"group_tokens": False} if _joins_neighbours(type(tokenizer)) else {}
    return str(tokenizer.decode(list(labels), skip_special_tokens=True, **options)).strip()


def _joins_neighbours(kind: type) -> bool:
    """Whether a class of tokenizers takes equal neighbours for one label unless set otherwise.

    Those of CTC models do. Wav2Vec2CTCTokenizer drops special tokens first, the blank among
    them, which alone parts the two letters of a doubled one. Some of the others refuse an
    argument that they do not know.
    """
    decodes = getattr(kind, "_decode", None)
    return decodes is not None and "group_tokens" in inspect.signature(decodes).parameters
