import copy
import pickle
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import TEXTS, doubled, examples, gradients, tiny, train
from transcripts import transcribed
from transformers import AutoModelForCTC, AutoProcessor

from mynah.errors import UserError
from mynah.models import registry
from mynah.models.family import Example


def build(**settings):
    torch.manual_seed(0)
    return registry.build(tiny(**settings), texts=TEXTS, sample_rate=16000, offline=True)


@pytest.fixture
def family():
    return build()


@pytest.fixture
def talkative(family):
    """A model whose transcripts of noise are long: its blank is never the best label."""
    with torch.no_grad():
        family.model.ctc_head.weight.normal_(std=3.0)
        family.model.ctc_head.bias[family.blank] = -100.0
    return family


@pytest.mark.parametrize("tokenizer", ["bpe", "character"])
def test_training_lowers_the_loss(tokenizer, clips):
    family = build(tokenizer=tokenizer)
    losses = train(family, family.collate(examples(family, clips)))
    assert losses == sorted(losses, reverse=True)


def test_the_loss_is_that_of_transformers(family, clips):
    batch = family.collate(examples(family, clips))
    own = family.loss(family.model.eval(), batch)
    family.model.config.ctc_loss_reduction = "sum"
    # Its padding of labels is the blank, which transformers leaves out as we do.
    reference = family.model(
        input_features=batch["input_features"],
        attention_mask=batch["attention_mask"],
        labels=batch["labels"],
    ).loss
    torch.testing.assert_close(own.total, reference)
    assert own.count == sum(len(family.labels(text)) for text in TEXTS[: len(clips)])


def test_on_a_gpu_of_apple_the_loss_is_computed_on_the_cpu_and_the_model_stays(family, clips):
    class OnMPS:
        """Logits on a device for which torch has no CTC loss."""

        device, dtype = torch.device("mps"), torch.float32

        def __init__(self, values):
            self.values, self.moved_to = values, None

        def to(self, device, dtype):
            self.moved_to = device
            return self.values.to(dtype)

    batch = family.collate(examples(family, clips))
    family.model.eval()
    logits = OnMPS(family.model(batch["input_features"], batch["attention_mask"]).logits)
    encoded = SimpleNamespace(logits=logits)  # a model that could not be moved: it is none
    loss = family.loss(lambda **inputs: encoded, batch)
    assert logits.moved_to == torch.device("cpu") == loss.total.device
    torch.testing.assert_close(loss.total, family.loss(family.model, batch).total)
    loss.total.backward()
    assert family.model.ctc_head.weight.grad.abs().sum() > 0


def test_clips_in_which_nobody_speaks_are_learned_from(family, clips):
    batch = family.collate(examples(family, clips, texts=["" for _ in clips]))
    loss = family.loss(family.model, batch)
    assert loss.count == len(clips) and loss.total > 0
    losses = train(family, batch)
    assert losses[-1] < losses[0]


def test_a_row_of_weight_zero_changes_nothing(family, clips):
    rows = examples(family, clips)
    filler = Example("filler", rows[0].features, rows[0].labels, weight=0.0)
    own = gradients(family, [family.collate(rows[:2])])
    family.model.eval()
    own = gradients(family, [family.collate(rows[:2])])
    filled = gradients(family, [family.collate([*rows[:2], filler])])
    for name, gradient in own.items():
        torch.testing.assert_close(gradient, filled[name], atol=1e-5, rtol=1e-4)


def test_the_gradient_does_not_depend_on_how_a_batch_is_split(family, clips):
    family.model.double().eval()
    rows = examples(family, clips)
    full = gradients(family, [doubled(family.collate(rows))])
    parts = [[rows[0]], rows[1:3], [rows[3]]]
    split = gradients(family, [doubled(family.collate(part)) for part in parts])
    for name, gradient in full.items():
        torch.testing.assert_close(gradient, split[name], atol=1e-10, rtol=1e-8)


def test_a_transcript_does_not_depend_on_the_batch(talkative, clips):
    together = transcribed(talkative, clips)
    assert all(len(text) > 3 for text in together)
    assert together == [transcribed(talkative, [clip])[0] for clip in clips]
    assert together[::-1] == transcribed(talkative, clips[::-1])


def test_decoding_leaves_the_model_in_training_mode_and_without_gradients(family, clips):
    family.model.train()
    transcribed(family, clips)
    assert family.model.training
    assert all(parameter.grad is None for parameter in family.model.parameters())


def test_a_clip_too_short_to_encode_has_an_empty_transcript(talkative, clips):
    texts = transcribed(talkative, [clips[0][:10], clips[0], clips[0][:0]])
    assert texts[0] == texts[2] == "" and texts[1]


def test_a_saved_model_says_the_same(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    loaded = registry.load_family(tmp_path)
    assert transcribed(loaded, clips) == transcribed(talkative, clips)
    for name, tensor in talkative.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name]), name


def test_plain_transformers_loads_a_checkpoint_and_says_the_same(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    model = AutoModelForCTC.from_pretrained(tmp_path).eval()
    for clip, ours in zip(clips, transcribed(talkative, clips), strict=True):
        inputs = processor([clip], sampling_rate=16000)
        said = processor.batch_decode(model.generate(**inputs), skip_special_tokens=True)
        assert said[0].strip() == ours


@pytest.mark.parametrize("damage", ["missing", "left over"])
def test_a_checkpoint_with_other_weights_is_refused(damage, family, tmp_path):
    family.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    if damage == "missing":
        del weights["encoder.layers.0.conv.depthwise_conv.weight"]
    else:
        weights["encoder.extra"] = torch.zeros(1)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=damage):
        registry.load_family(tmp_path)


def test_an_utterance_with_more_labels_than_frames_is_named(family, clips):
    too_long = Example("speaker-7", family.features(clips[0]), family.labels(" ".join(TEXTS * 2)))
    with pytest.raises(UserError) as caught:
        family.collate([too_long])
    assert "speaker-7" in str(caught.value)
    assert family.impossible(len(clips[0]), too_long.labels)
    assert family.impossible(len(clips[0]), family.labels("call anna")) is None


def test_repeated_labels_need_a_frame_more(family):
    samples = 16000
    frames = family.output_length(samples)
    different = [2 + i % 2 for i in range(frames)]
    assert family.impossible(samples, different) is None
    assert family.impossible(samples, [2, 2, *different[2:]])


def test_every_possible_utterance_has_a_finite_loss(family, clips):
    frames = family.output_length(len(clips[0]))
    labels = [2] * (-(-frames // 2))
    assert family.impossible(len(clips[0]), labels) is None
    batch = family.collate([Example("tight", family.features(clips[0]), labels)])
    assert torch.isfinite(family.loss(family.model, batch).total)


def test_a_family_goes_to_a_worker_without_its_model(family, clips):
    sent = pickle.loads(pickle.dumps(family))
    assert sent.model is None
    ours, theirs = (one.collate(examples(one, clips)) for one in (family, sent))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_letters_are_written_in_the_only_case_that_the_tokenizer_has():
    family = build()
    assert family.labels("CALL ANNA") == family.labels("call anna")
    mixed = registry.build(
        tiny(vocab_size=60), texts=[*TEXTS, "Anna"], sample_rate=16000, offline=True
    )
    assert mixed.labels("Anna") != mixed.labels("anna")


def test_evaluation_mode_is_the_same_for_padding_of_any_length(family, clips):
    model = copy.deepcopy(family.model).double().eval()
    features = family.features(clips[0])
    outputs = []
    for frames in (len(features), len(features) + 57):
        batch = doubled(family.frontend.pad([features], frames))
        outputs.append(model(**batch).logits[0, : family.output_length(len(clips[0]))])
    torch.testing.assert_close(outputs[0], outputs[1])


def test_the_table_of_parameters_counts_them_all(family):
    rows = family.parameter_table()
    assert [row[0] for row in rows] == ["encoder", "ctc_head"]
    assert sum(row[1] for row in rows) == sum(p.numel() for p in family.model.parameters())
    assert all(total == trained for _, total, trained in rows)


def test_a_directory_that_is_not_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a checkpoint"):
        registry.load_family(tmp_path)


def test_a_checkpoint_of_ours_can_be_trained_on(talkative, clips, tmp_path):
    talkative.save(tmp_path)
    family = build(pretrained=str(tmp_path))
    assert transcribed(family, clips) == transcribed(talkative, clips)
    assert all(parameter.requires_grad for parameter in family.model.parameters())
    shutil.rmtree(tmp_path)
    losses = train(family, family.collate(examples(family, clips)))
    assert losses[-1] < losses[0]
