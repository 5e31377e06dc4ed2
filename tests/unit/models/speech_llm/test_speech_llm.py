import dataclasses

import numpy as np
import peft
import pytest
import torch
from speech_llms import build
from tiny_models import TEXTS, doubled, examples, gradients, tiny, train
from transcripts import transcribed
from transformers import AutoModel, AutoModelForCausalLM, WhisperForConditionalGeneration

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.speech_llm import encoders
from mynah.models.speech_llm.network import AUDIO_TOKEN
from mynah.models.speech_llm.prompts import prompt_ids
from mynah.models.text.token_loss import IGNORED


@pytest.mark.parametrize("decoder", ["chat_lm", "base_lm"])
def test_a_model_trained_in_full_comes_back_without_its_bases(
    decoder, checkpoints, clips, tmp_path
):
    family = build(checkpoints, decoder=decoder, encoder_tuning="full")
    losses = train(family, family.collate(examples(family, clips)))
    assert losses == sorted(losses, reverse=True)
    family.model.config.bases = {}  # nothing is looked up there
    family.save(tmp_path)
    assert transcribed(registry.load_family(tmp_path), clips) == transcribed(family, clips)


def test_words_and_end_of_text_alone_are_targets(checkpoints, clips):
    family = build(checkpoints)
    batch = family.collate(examples(family, clips))
    end = family.tokenizer.eos_token_id
    for ids, labels, mask in zip(
        batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
    ):
        targets = labels[labels != IGNORED].tolist()
        assert targets[-1] == end
        assert family.tokenizer.decode(targets[:-1]) in TEXTS
        assert (labels[ids == AUDIO_TOKEN] == IGNORED).all()
        assert (labels[mask == 0] == IGNORED).all()
        assert int(mask.sum()) == int((labels != IGNORED).nonzero()[-1]) + 1


def test_every_audio_token_gets_one_vector(checkpoints, clips):
    family = build(checkpoints)
    batch = family.collate(examples(family, clips))
    vectors = family.model.audio_vectors(
        batch["input_features"], batch["feature_lengths"], batch["audio_frames"]
    )
    assert len(vectors) == int((batch["input_ids"] == AUDIO_TOKEN).sum())


def test_a_chat_model_is_asked_by_its_template_and_a_base_model_in_plain_lines(checkpoints):
    for decoder, before, after in (
        ("chat_lm", "<|im_start|>user\n", "Do it.<|im_end|>\n<|im_start|>assistant\n"),
        ("base_lm", "<|endoftext|>", "\nDo it.\n"),
    ):
        tokenizer = build(checkpoints, decoder=decoder).tokenizer
        ids = prompt_ids(tokenizer, "Do it.")
        assert tuple(map(tokenizer.decode, ids)) == (before, after)


def test_the_gradient_does_not_depend_on_how_a_batch_is_split(checkpoints, clips):
    family = build(checkpoints, encoder_tuning="full")
    family.model.double().eval()
    rows = examples(family, clips)
    full = gradients(family, [doubled(family.collate(rows))])
    parts = [[rows[0]], rows[1:3], [rows[3]]]
    split = gradients(family, [doubled(family.collate(part)) for part in parts])
    assert full.keys() == split.keys()
    for name, gradient in full.items():
        torch.testing.assert_close(gradient, split[name], atol=1e-10, rtol=1e-7)


def test_a_row_of_weight_zero_changes_nothing(checkpoints, clips):
    family = build(checkpoints)
    family.model.double().eval()
    rows = examples(family, clips)
    own = family.loss(family.model, doubled(family.collate(rows[:2])))
    filler = dataclasses.replace(rows[2], weight=0.0)
    filled = family.loss(family.model, doubled(family.collate([*rows[:2], filler])))
    assert own.count == filled.count
    torch.testing.assert_close(own.total, filled.total)


def test_a_checkpoint_with_lora_holds_no_base_weights(checkpoints, tmp_path):
    family = build(checkpoints, use_lora=True)
    family.save(tmp_path)
    held = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.safetensors")}
    assert held == {"adapter/adapter_model.safetensors", "projector.safetensors"}


def test_plain_auto_classes_and_peft_load_a_checkpoint(checkpoints, clips, tmp_path):
    family = build(checkpoints, use_lora=True)
    batch = family.collate(examples(family, clips))
    train(family, batch)
    family.save(tmp_path)
    with torch.no_grad():
        ours = family.loss(family.model, batch).total
        theirs = family.loss(AutoModel.from_pretrained(tmp_path), batch).total
    torch.testing.assert_close(ours, theirs)
    base = AutoModelForCausalLM.from_pretrained(checkpoints("chat_lm"))
    adapted = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    ids = torch.arange(10)[None]
    torch.testing.assert_close(
        adapted(ids).logits, family.model.language_model(input_ids=ids).logits
    )


def test_a_checkpoint_whose_base_is_gone_names_it(checkpoints, tmp_path):
    family = build(checkpoints, use_lora=True)
    family.model.config.bases["language_model"] = ["someone/gone", "0" * 40]
    family.save(tmp_path)
    with pytest.raises(UserError) as caught:
        registry.load_family(tmp_path, offline=True)
    assert "hf download someone/gone --revision" in str(caught.value)


def test_a_checkpoint_with_a_projector_weight_missing_is_refused(checkpoints, tmp_path):
    from safetensors.torch import load_file, save_file

    build(checkpoints, use_lora=True).save(tmp_path)
    weights = load_file(tmp_path / "projector.safetensors")
    del weights["layers.2.bias"]
    save_file(weights, tmp_path / "projector.safetensors")
    with pytest.raises(UserError, match="missing"):
        registry.load_family(tmp_path)


def test_training_continues_from_a_checkpoint_of_ours(checkpoints, clips, tmp_path):
    first = build(checkpoints, use_lora=True)
    first.save(tmp_path)
    config = tiny(pretrained=str(tmp_path), use_lora=True)
    again = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert transcribed(again, clips) == transcribed(first, clips)
    losses = train(again, again.collate(examples(again, clips)))
    assert losses[-1] < losses[0]


def test_whisper_encodes_a_short_clip_the_same_beside_a_long_one(checkpoints):
    encoder = build(checkpoints).model.encoder.double().eval()
    torch.manual_seed(0)
    features = torch.randn(2, 200, 80).double()
    features[1, 121:] = 0
    lengths = torch.tensor([200, 121])
    with torch.no_grad():
        both = encoders.encode(encoder, features, lengths, None)
        alone = encoders.encode(encoder, features[1:, :121], lengths[1:], None)
    torch.testing.assert_close(both[1, : alone.shape[1]], alone[0])


def test_longer_than_the_window_is_impossible_to_learn_and_decoded_in_pieces(checkpoints, clips):
    family = build(checkpoints)
    long = np.tile(clips[0], 30)[: 40 * 16000]
    assert "30 s" in family.impossible(len(long), [1])
    assert family.impossible(30 * 16000, [1]) is None
    pieces = transcribed(family, [long[: 30 * 16000], long[30 * 16000 :]])
    assert transcribed(family, [long]) == [" ".join(filter(None, pieces))]


def test_silence_behind_a_clip_fills_its_half_second(checkpoints, clips):
    family = build(checkpoints)
    assert len(family.features(clips[1])) == 200  # 1.82 s: two whole seconds
    assert family.output_length(len(clips[1])) == 100
    assert transcribed(family, [clips[0][:0]]) == [""]


def test_a_whisper_may_encode_every_clip_in_its_window(checkpoints, clips, tmp_path):
    native = build(checkpoints, use_lora=True, audio_window="native")
    short = build(checkpoints, use_lora=True)
    assert native.output_length(16000) == 1500 and short.output_length(16000) == 50
    batch = native.collate(examples(native, clips[:1]))
    kind = WhisperForConditionalGeneration
    plain = kind.from_pretrained(checkpoints("whisper")).model.encoder.eval()
    theirs = native.extractor(clips[0], sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        ours = encoders.encode(
            native.model.encoder, batch["input_features"], batch["feature_lengths"], None
        )
        full = plain(theirs).last_hidden_state
    torch.testing.assert_close(ours, full, rtol=1e-4, atol=1e-4)
    native.save(tmp_path)
    assert registry.load_family(tmp_path).output_length(16000) == 1500


def test_what_a_model_is_never_given_is_refused(checkpoints):
    with pytest.raises(UserError, match=r"does not support model\.language"):
        registry.check_model(
            tiny(pretrained=str(checkpoints("hubert_ctc")), language="en"),
            sample_rate=16000,
            offline=True,
        )
