"""Labels a frame to text: equal neighbours are joined first, and blanks dropped then."""

import json

import pytest
import standins_ctc
import torch
import transformers
from tiny_models import TEXTS, tiny
from transcripts import transcribed

from mynah.models import registry
from mynah.models.ctc import loading
from mynah.models.text.tokenizers import text_of, train_tokenizer

WITH_LETTERS = [
    kind
    for kinds in standins_ctc.BY_TYPE.values()
    for kind in kinds
    if kind not in ("parakeet_ctc", "lasr_ctc", "granite5_ctc")
]
WITH_PIECES = ["parakeet_ctc", "lasr_ctc"]


class Said(torch.nn.Module):
    """A head that puts out labels given in advance, one a frame, and then the blank."""

    def __init__(self, path, labels, blank):
        super().__init__()
        self.path, self.labels, self.blank = path, labels, blank

    def forward(self, hidden):
        frames = hidden.shape[1]
        assert frames >= len(self.path)
        path = [*self.path, *[self.blank] * (frames - len(self.path))]
        logits = 10.0 * torch.nn.functional.one_hot(torch.tensor(path), self.labels)
        return logits.expand(len(hidden), -1, -1)


def build(folder):
    return registry.build(
        tiny(pretrained=str(folder)), texts=TEXTS, sample_rate=16000, offline=True
    )


def let_say(family, path):
    """Replace the last layer by one that puts out a path."""
    said = Said(path, family.model.config.vocab_size, family.blank)
    setattr(family.model, loading.head_of(family.model), said)


def letters(family, text):
    vocabulary = family.tokenizer.get_vocab()
    return [vocabulary[one] for one in text.replace(" ", "|")]


def pipeline_of(family, tokenizer=None):
    return transformers.pipeline(
        "automatic-speech-recognition",
        model=family.model.eval(),
        tokenizer=tokenizer or family.tokenizer,
        feature_extractor=family.processor.feature_extractor,
    )


def spaced(labels, blank):
    """Each label for two frames, and a blank between those that are equal."""
    path = []
    for label in labels:
        if path and path[-1] == label:
            path.append(blank)
        path += [label, label]
    return path


@pytest.mark.parametrize("kind", WITH_LETTERS)
def test_doubled_letters_are_written_where_a_blank_parts_them(kind, checkpoints, clips):
    family = build(checkpoints(kind))
    long = clips[0].repeat(2)
    # "_" is the blank: H_EL_LO|WI_L_L, and the last L for three frames.
    path = [*letters(family, "H"), family.blank, *letters(family, "EL"), family.blank]
    path += [*letters(family, "LO WI"), family.blank, *letters(family, "L"), family.blank]
    path += letters(family, "LLL")
    let_say(family, path)
    assert transcribed(family, [long]) == ["HELLO WILL"]
    assert pipeline_of(family)(long)["text"] == "HELLO WILL"


def test_doubled_letters_are_one_where_no_blank_parts_them(checkpoints, clips):
    family = build(checkpoints("wav2vec2_ctc"))
    let_say(family, letters(family, "HELLO WILL"))
    assert transcribed(family, clips[:1]) == ["HELO WIL"] == [pipeline_of(family)(clips[0])["text"]]


@pytest.mark.parametrize("kind", WITH_PIECES)
@pytest.mark.parametrize("text", ["call anna", "ten minutes", "turn off the lights"])
def test_pieces_are_written_as_often_as_they_are_said(kind, text, checkpoints, clips):
    family = build(checkpoints(kind))
    long = clips[0].repeat(4)
    let_say(family, spaced(family.labels(text), family.blank))
    assert transcribed(family, [long]) == [text] == [pipeline_of(family)(long)["text"].strip()]


def with_vocabulary(folder, pieces, **settings):
    file = folder / "vocab.json"
    file.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    return transformers.Wav2Vec2CTCTokenizer(str(file), **settings)


@pytest.mark.parametrize(
    ("pieces", "settings"),
    [
        (["[PAD]", "[UNK]", "|", *"aelt"], {"pad_token": "[PAD]", "unk_token": "[UNK]"}),
        (["<pad>", "<s>", "</s>", "<unk>", " ", *"aelt"], {"word_delimiter_token": " "}),
        (["<pad>", "<s>", "</s>", "<unk>", "▁", *"aelt"], {"word_delimiter_token": "▁"}),
        (["<blank>", "<s>", "</s>", "<unk>", "|", *"aelt"], {"pad_token": "<blank>"}),
    ],
)
def test_any_blank_and_any_delimiter_of_words_do(pieces, settings, checkpoints, clips, tmp_path):
    tokenizer = with_vocabulary(tmp_path, pieces, **settings)
    folder = tmp_path / "model"
    family = build(checkpoints("wav2vec2_ctc"))
    family.model.save_pretrained(folder)
    family.processor.feature_extractor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    family = build(folder)
    family.save(tmp_path / "saved")
    family = registry.load_family(tmp_path / "saved")
    place = pieces.index
    blank, delimiter = place(pieces[0]), place(settings.get("word_delimiter_token", "|"))
    path = [place("t"), place("e"), place("l"), blank, place("l"), place("l"), delimiter, delimiter]
    path += [place("a"), blank, place("l"), blank, place("l")]
    let_say(family, path)
    # transformers' own tokenizer, as it was before it was saved: read back, it forgets the
    # delimiter of words.
    theirs = pipeline_of(family, tokenizer)(clips[0])["text"]
    assert transcribed(family, clips[:1]) == ["tell all"] == [theirs]
    assert family.labels("tell all") == [*map(place, "tell"), delimiter, *map(place, "all")]


def test_a_special_token_between_equal_letters_parts_them_and_is_not_written(checkpoints, clips):
    family = build(checkpoints("hubert_ctc"))
    start = family.tokenizer.convert_tokens_to_ids("<s>")
    path = [*letters(family, "TEL"), start, *letters(family, "L")]
    let_say(family, path)
    assert pipeline_of(family)(clips[0])["text"] == "TEL<s>L"
    assert transcribed(family, clips[:1]) == ["TELL"]


@pytest.mark.parametrize("kind", ["character", "bpe"])
def test_labels_without_blanks_are_all_written(kind, tmp_path):
    trained = train_tokenizer(TEXTS, kind=kind, vocab_size=40)
    assert text_of(trained, trained("call anna")["input_ids"]) == "call anna"
    letters = with_vocabulary(tmp_path, ["<pad>", "<s>", "</s>", "<unk>", "|", *"aelt"])
    assert text_of(letters, [8, 6, 7, 7, 4, 5, 7, 7]) == "tell all"
    assert text_of(letters, []) == ""
