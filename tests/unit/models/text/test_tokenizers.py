import pytest
from tiny_models import TEXTS

from mynah.errors import UserError
from mynah.models.text.tokenizers import train_tokenizer


@pytest.mark.parametrize("kind", ["bpe", "character"])
def test_what_is_written_is_read_back(kind):
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=48)
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.pad_token_id == 0 and 0 not in ids
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, group_tokens=False) == text


def test_bpe_has_the_pieces_asked_for_and_characters_one_each():
    assert len(train_tokenizer(TEXTS, kind="bpe", vocab_size=48)) == 48
    letters = set("".join(TEXTS)) - {" "}
    assert len(train_tokenizer(TEXTS, kind="character", vocab_size=8)) == len(letters) + 3


def test_the_same_texts_give_the_same_tokenizer():
    one, two = (train_tokenizer(TEXTS, kind="bpe", vocab_size=48).get_vocab() for _ in range(2))
    assert one == two


def test_too_few_pieces_for_the_alphabet_is_an_error_that_says_how_many():
    with pytest.raises(UserError) as caught:
        train_tokenizer(TEXTS, kind="bpe", vocab_size=10)
    assert "model.tokenizer=character" in str(caught.value)


def test_a_corpus_without_words_is_an_error():
    with pytest.raises(UserError, match="empty"):
        train_tokenizer(["", " "], kind="bpe", vocab_size=48)
