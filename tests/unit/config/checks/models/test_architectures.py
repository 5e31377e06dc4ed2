import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

from mynah.config.checks.check import check
from mynah.config.checks.models.architectures import FASTCONFORMER, SIZED_ARCHITECTURES
from mynah.config.origins import Origin
from mynah.config.schema import Config
from mynah.config.settings import all_settings
from mynah.errors import ConfigErrors


def config(sample_rate=16000, sizes=None, **settings):
    made = Config()
    made.data.sample_rate = sample_rate
    for name, value in settings.items():
        setattr(made.model, name, value)
    for name, value in (sizes or {}).items():
        setattr(made.model.encoder, name, value)
    return made


def refusal(*arguments, origins=None, **settings):
    with pytest.raises(ConfigErrors) as caught:
        check(config(*arguments, **settings), origins)
    (error,) = caught.value.errors
    return error


def test_every_ctc_class_of_transformers_can_be_initialized_and_the_setting_names_them_all():
    assert set(SIZED_ARCHITECTURES) == {FASTCONFORMER, *MODEL_FOR_CTC_MAPPING_NAMES}
    assert set(all_settings()["model.architecture"].choices) == set(SIZED_ARCHITECTURES)


@pytest.mark.parametrize("architecture", SIZED_ARCHITECTURES)
def test_the_default_sizes_suit_every_architecture(architecture):
    check(config(architecture=architecture))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"mel_bins": 40}, "takes samples"),
        ({"conv_kernel_size": 5}, "have no convolution"),
    ],
)
def test_a_size_that_an_architecture_does_not_have_is_refused_with_the_reason(sizes, said):
    error = refusal(architecture="hubert", sizes=sizes)
    assert said in str(error) and error.setting == f"model.encoder.{next(iter(sizes))}"


def test_what_a_preset_says_of_another_architecture_is_not_a_mistake_and_what_is_typed_is():
    name = "model.encoder.mel_bins"
    given = config(architecture="wavlm", sizes={"mel_bins": 40})
    check(given, {name: Origin("group", "model/small.yaml:9")})
    typed = Origin("command line", f"{name}=40")
    assert "takes samples" in str(
        refusal(architecture="wavlm", sizes={"mel_bins": 40}, origins={name: typed})
    )


@pytest.mark.parametrize(
    ("settings", "instead"),
    [
        (
            {"architecture": "lasr_ctc", "sizes": {"subsampling_factor": 8}},
            "model.encoder.subsampling_factor=4",
        ),
        (
            {
                "architecture": "granite_speech5_ctc",
                "sizes": {"subsampling_factor": 16, "layers": 2},
            },
            "model.encoder.layers=3",
        ),
        (
            {"architecture": "lasr_ctc", "sizes": {"hidden_size": 36, "heads": 4}},
            "model.encoder.hidden_size=72",
        ),
        ({"architecture": "sew", "sample_rate": 44100}, "data.sample_rate=16000"),
        (
            {"sizes": {"mel_bins": 20, "subsampling_factor": 8}},
            "model.encoder.mel_bins=24",
        ),
        (
            {"architecture": "hubert", "pretrained": "facebook/wav2vec2-base"},
            "model.architecture=fastconformer",
        ),
        (
            {"architecture": "hubert", "family": "transducer"},
            "model.architecture=fastconformer",
        ),
        ({"new_tokenizer": "bpe"}, "model.new_tokenizer=null"),
        (
            {"new_tokenizer": "bpe", "pretrained": "x", "family": "seq2seq"},
            "model.new_tokenizer=null",
        ),
        (
            {
                "new_tokenizer": "character",
                "encoder_model_name": "facebook/wav2vec2-base",
                "decoder_model_name": "HuggingFaceTB/SmolLM2-135M",
            },
            "model.new_tokenizer=null",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_can(settings, instead):
    error = refusal(**settings)
    assert error.instead == instead
    name, value = instead.split("=")
    given = config(**settings)
    if name == "data.sample_rate":
        given.data.sample_rate = int(value)
    elif name.startswith("model.encoder."):
        setattr(given.model.encoder, name.rsplit(".", 1)[1], int(value))
    else:
        setattr(given.model, name.removeprefix("model."), None if value == "null" else value)
    check(given)  # the fix works


def test_a_new_tokenizer_is_for_a_pretrained_model():
    check(config(new_tokenizer="bpe", pretrained="facebook/wav2vec2-base-960h"))
    check(config(new_tokenizer="character", encoder_model_name="facebook/w2v-bert-2.0"))
