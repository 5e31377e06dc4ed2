"""CTC models initialized at random in the shape of each architecture."""

import dataclasses

import numpy as np
import pytest
import torch
from tiers import fast_where
from tiny_models import TEXTS, examples, tiny, train
from transcripts import transcribed
from transformers import AutoConfig, AutoModelForCTC

from mynah.config.checks.models.architectures import SIZED_ARCHITECTURES
from mynah.models import registry

FAST = ("fastconformer", "parakeet_ctc", "wav2vec2", "wav2vec2-bert")
SHORT = ["call anna", "ten minutes", "nine", "next song"]


def build(architecture, **sizes):
    torch.manual_seed(0)
    config = tiny(architecture=architecture)
    config.encoder = dataclasses.replace(config.encoder, **sizes)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def one_frame_in(family):
    """Samples from one encoder frame to the next, over four seconds."""
    return 64000 / family.output_length(64000)


@pytest.mark.parametrize("architecture", fast_where(lambda one: one in FAST, SIZED_ARCHITECTURES))
def test_it_learns_comes_back_and_is_what_plain_transformers_loads(architecture, clips, tmp_path):
    family = build(architecture)
    losses = train(family, family.collate(examples(family, clips, SHORT)), steps=5)
    assert losses[-1] < losses[0]
    together = transcribed(family, clips)
    assert together == [transcribed(family, [clip])[0] for clip in clips]
    family.save(tmp_path)
    kind = "parakeet_ctc" if architecture == "fastconformer" else architecture
    assert AutoConfig.from_pretrained(tmp_path).model_type == kind
    assert transcribed(registry.load_family(tmp_path), clips) == together
    plain = AutoModelForCTC.from_pretrained(tmp_path)
    for name, tensor in family.model.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


@pytest.mark.parametrize("architecture", SIZED_ARCHITECTURES)
def test_sizes_are_those_asked_for(architecture):
    sizes = {
        "hidden_size": 24, "layers": 3, "heads": 2, "feed_forward_size": 40,
        "conv_kernel_size": 7, "subsampling_channels": 6, "mel_bins": 32, "dropout": 0.25,
    }  # fmt: skip
    family = build(architecture, **sizes)
    config = getattr(family.model.config, "encoder_config", family.model.config)
    assert (config.hidden_size, config.num_hidden_layers) == (24, 3)
    assert (config.num_attention_heads, config.intermediate_size) == (2, 40)
    assert config.attention_dropout == config.activation_dropout == 0.25
    lacks = SIZED_ARCHITECTURES[architecture].lacks
    shapes = [tuple(parameter.shape) for parameter in family.model.parameters()]
    if "conv_kernel_size" not in lacks:
        assert any(shape[1:] == (1, 7) for shape in shapes)  # a depthwise convolution
    if "subsampling_channels" not in lacks:
        assert any(6 in shape[:2] for shape in shapes if len(shape) >= 3)
    if "mel_bins" not in lacks:
        stacked = family.features(np.zeros(16000, dtype=np.float32)).shape[1]
        assert stacked in (32, 64, 128)  # alone, two in one, two with their deltas


@pytest.mark.parametrize(
    ("architecture", "factor"),
    [
        (architecture, factor)
        for architecture in ("hubert", "sew", "wav2vec2-bert", "lasr_ctc", "granite_speech5_ctc")
        for factor in SIZED_ARCHITECTURES[architecture].factors
    ],
)
def test_frames_are_folded_as_asked_and_as_many_as_the_model_puts_out(architecture, factor):
    family = build(architecture, subsampling_factor=factor, mel_bins=16, layers=3)
    family.model.eval()
    assert one_frame_in(family) == pytest.approx(160 * factor, rel=0.08)
    for samples in range(6000, 12000, 1571):
        features = family.features(np.ones(samples, dtype=np.float32))
        if frames := family.output_length(samples):
            with torch.no_grad():
                batch = family.frontend.pad([features], len(features))
                assert family.model(**batch).logits.shape[1] == frames, samples


@pytest.mark.parametrize("rate", [8000, 32000])
@pytest.mark.parametrize("architecture", ["wavlm", "granite_speech5_ctc"])
def test_other_sample_rates_keep_the_length_of_a_frame(architecture, rate):
    config = tiny(architecture=architecture)
    family = registry.build(config, texts=TEXTS, sample_rate=rate, offline=True)
    assert family.sample_rate == rate
    assert 4 * rate / family.output_length(4 * rate) == pytest.approx(rate / 25, rel=0.05)


def test_the_published_wav2vec2_folds_like_one_from_scratch():
    from transformers import Wav2Vec2Config

    published, ours = Wav2Vec2Config(), build("wav2vec2", subsampling_factor=2).model.config
    assert tuple(ours.conv_kernel) == tuple(published.conv_kernel)
    assert tuple(ours.conv_stride) == tuple(published.conv_stride)


@pytest.mark.parametrize("architecture", fast_where(lambda one: one in FAST, SIZED_ARCHITECTURES))
def test_a_layer_passes_on_what_it_is_given_before_it_has_learned(architecture):
    """Four branches at a tenth, two of them halved, add 0.025 to a variance of 1."""
    family = build(architecture, hidden_size=64, layers=6, heads=4, feed_forward_size=128)
    modules = dict(family.model.named_modules())
    layers = next(modules[name] for name in modules if name.endswith(("r.layers", "r.layer")))
    seen = {}
    # The first layer of Granite folds frames.
    layers[1].register_forward_pre_hook(lambda _, given: seen.update(first=given[0]))
    layers[-1].register_forward_hook(lambda _, __, put_out: seen.update(last=put_out))
    noise = np.random.default_rng(3).standard_normal(32000).astype(np.float32)
    features = family.features(noise)
    with torch.no_grad():
        family.model.eval()(**family.frontend.pad([features], len(features)))
    last = seen["last"][0] if isinstance(seen["last"], tuple) else seen["last"]
    normalized = [torch.nn.functional.layer_norm(one, (64,)) for one in (seen["first"], last)]
    assert torch.nn.functional.cosine_similarity(*normalized, dim=-1).mean() > 0.9
