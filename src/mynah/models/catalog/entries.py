"""The checkpoints that presets name: what they are, and what training them takes. Data alone.

Parameters and layers are those of the published configurations, built once without weights;
``wer`` is the mean over the eight English test sets of the Open ASR Leaderboard
(https://github.com/huggingface/open_asr_leaderboard, scripts/data/en_shortform.csv, March 2026)
before any tuning.
"""

from __future__ import annotations

from mynah.models.catalog.entry import Checkpoint, Entry
from mynah.models.catalog.footprint import Stack

_WHISPER_LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th "
    "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr "
    "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
    "haw ln ha ba jw su"
)
_EUROPEAN_LANGUAGES = (
    "bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk"  # of Granary
)
_QWEN_ASR_LANGUAGES = (
    "zh en yue ar de fr es pt id it ko ru th vi ja tr hi ms nl sv da fi pl cs fil fa el hu mk ro"
)

_WHISPER_SMALL = Stack(88_154_112, 12, 768, keeps=17, frame_rate=50, adaptable=13_824)
_WHISPER_LARGE = Stack(636_968_960, 32, 1280, keeps=17, frame_rate=50, adaptable=23_040)
_FASTCONFORMER = Stack(
    607_749_120, 24, 1024, keeps=46, frame_rate=12.5, heads=8, front=910_000, adaptable=30_720
)


def _language_model(
    parameters: int, layers: int, width: int, keeps: float, adaptable: int, vocabulary: int
) -> Stack:
    """A language model that reads ten vectors for each second of audio, and text."""
    return Stack(
        parameters,
        layers,
        width,
        keeps,
        10.0,
        reads_text=True,
        adaptable=adaptable,
        vocabulary=vocabulary,
    )


_SMALL = Checkpoint("openai/whisper-small", 967_000_000, "Apache-2.0")
_TURBO = Checkpoint("openai/whisper-large-v3-turbo", 1_620_000_000, "MIT")


def _in_parts(
    preset: str,
    encoder: tuple[Checkpoint, Stack],
    decoder: tuple[Checkpoint, Stack],
    languages: str,
) -> Entry:
    """A Whisper encoder, the projector of arXiv 2402.08846, and a language model with LoRA."""
    (encoding, stack), (decoding, language_model) = encoder, decoder
    hidden = 2048
    projector = 5 * stack.width * hidden + hidden + hidden * language_model.width
    return Entry(
        preset,
        "speech_llm",
        (encoding, decoding),
        tuple(languages.split()),
        stack,
        language_model,
        projector + language_model.width,
        adapts=True,
        leaves_encoder=True,
    )


def _smollm2(size: str, disk_bytes: int) -> Checkpoint:
    return Checkpoint(f"HuggingFaceTB/SmolLM2-{size}-Instruct", disk_bytes, "Apache-2.0")


# fmt: off
ENTRIES: tuple[Entry, ...] = (
    Entry(
        "wav2vec2_base",
        "ctc",
        (Checkpoint("facebook/wav2vec2-base", 380_000_000, "Apache-2.0"),),
        ("en",),
        Stack(94_396_320, 12, 768, keeps=29, frame_rate=50, adaptable=13_824, vocabulary=32),
    ),
    Entry(
        "w2v_bert",
        "ctc",
        (Checkpoint("facebook/w2v-bert-2.0", 2_320_000_000, "MIT"),),
        (),
        Stack(
            580_525_920, 24, 1024, keeps=37, frame_rate=50, heads=16, score_copies=9.2,
            adaptable=28_672, vocabulary=32,
        ),
    ),
    Entry(
        "parakeet_ctc",
        "ctc",
        (Checkpoint("nvidia/parakeet-ctc-0.6b", 2_440_000_000, "CC-BY-4.0"),),
        ("en",),
        Stack(
            608_799_745, 24, 1024, keeps=46, frame_rate=12.5, heads=8, front=910_000,
            adaptable=30_720, vocabulary=1025,
        ),
        wer=7.69,
    ),
    Entry(
        "parakeet_tdt",
        "transducer",
        (Checkpoint("nvidia/parakeet-tdt-0.6b-v3", 2_510_000_000, "CC-BY-4.0"),),
        tuple(_EUROPEAN_LANGUAGES.split()),
        _FASTCONFORMER,
        Stack(18_128_518, 1, 640, keeps=8, frame_rate=12.5, vocabulary=8198, is_lattice=True),
        wer=6.32,
    ),
    Entry(
        "whisper_tiny_en",
        "seq2seq",
        (Checkpoint("openai/whisper-tiny.en", 151_000_000, "MIT"),),
        ("en",),
        Stack(
            8_208_384, 4, 384, keeps=17, frame_rate=50, window_seconds=30, front=120_000,
            adaptable=6_912,
        ),
        Stack(
            29_551_872, 4, 384, keeps=22, reads_text=True, attended_rate=50, window_seconds=30,
            adaptable=9_984, vocabulary=51_864,
        ),
        wer=12.81,
        adapts=True,
        rank=8,
    ),
    Entry(
        "whisper_small",
        "seq2seq",
        (_SMALL,),
        tuple(_WHISPER_LANGUAGES.split()),
        Stack(
            88_154_112, 12, 768, keeps=17, frame_rate=50, window_seconds=30, front=240_000,
            adaptable=13_824,
        ),
        Stack(
            153_580_800, 12, 768, keeps=22, reads_text=True, attended_rate=50, window_seconds=30,
            adaptable=19_968, vocabulary=51_865,
        ),
        wer=8.59,  # of openai/whisper-small.en: the one for all languages is not listed
    ),
    Entry(
        "whisper_large_v3_turbo",
        "seq2seq",
        (_TURBO,),
        (*_WHISPER_LANGUAGES.split(), "yue"),
        Stack(
            636_968_960, 32, 1280, keeps=17, frame_rate=50, window_seconds=30, front=400_000,
            adaptable=5_120,  # the preset adapts queries and values alone
        ),
        Stack(
            171_909_120, 4, 1280, keeps=22, reads_text=True, attended_rate=50, window_seconds=30,
            adaptable=10_240, vocabulary=51_866,
        ),
        wer=7.83,
        adapts=True,
    ),
    Entry(
        "canary",
        "seq2seq",
        (Checkpoint("nvidia/canary-1b-v2", 3_910_000_000, "CC-BY-4.0"),),
        tuple(_EUROPEAN_LANGUAGES.split()),
        Stack(
            810_984_448, 32, 1024, keeps=46, frame_rate=12.5, heads=8, front=910_000,
            adaptable=30_720,
        ),
        Stack(
            167_015_552, 8, 1024, keeps=18, reads_text=True, attended_rate=12.5, adaptable=26_624,
            vocabulary=16_384,
        ),
        wer=7.15,
    ),
    Entry(
        "moonshine",
        "seq2seq",
        (Checkpoint("UsefulSensors/moonshine-base", 246_000_000, "MIT"),),
        ("en",),
        Stack(20_153_120, 8, 416, keeps=17, frame_rate=41.5, front=397_000, adaptable=7_488),
        Stack(
            41_360_800, 8, 416, keeps=26, reads_text=True, attended_rate=41.5, adaptable=12_480,
            vocabulary=32_768,
        ),
        wer=9.99,
    ),
    Entry(
        "qwen3_asr",
        "audio_llm",
        (Checkpoint("Qwen/Qwen3-ASR-0.6B-hf", 1_570_000_000, "Apache-2.0"),),
        tuple(_QWEN_ASR_LANGUAGES.split()),
        Stack(184_653_952, 18, 896, keeps=17, frame_rate=12.5, front=1_800_000, adaptable=16_128),
        _language_model(596_049_920, 28, 1024, 30, 22_528, 151_936),
        projector=1_722_240,
        wer=6.42,
    ),
    Entry(
        "granite_speech",
        "audio_llm",
        (Checkpoint("ibm-granite/granite-speech-3.3-2b", 6_010_000_000, "Apache-2.0"),),
        ("en", "fr", "de", "es", "pt"),
        Stack(439_541_802, 16, 1024, keeps=82, frame_rate=50, adaptable=28_672),
        _language_model(2_533_541_888, 40, 2048, 25, 44_032, 49_160),
        projector=35_697_664,
        wer=6.0,
        adapts=True,
        leaves_encoder=True,
    ),
    Entry(
        "voxtral",
        "audio_llm",
        (Checkpoint("mistralai/Voxtral-Mini-3B-2507", 9_350_000_000, "Apache-2.0"),),
        ("en", "es", "fr", "pt", "hi", "de", "nl", "it"),
        _WHISPER_LARGE,
        Stack(
            4_014_136_320, 30, 3072, keeps=21, frame_rate=12.5, reads_text=True, window_seconds=30,
            adaptable=56_320, vocabulary=131_072,
        ),
        projector=25_165_824,
        wer=7.05,
        adapts=True,
        leaves_encoder=True,
    ),
    _in_parts(
        "whisper_smollm2_135m",
        (_SMALL, _WHISPER_SMALL),
        (
            _smollm2("135M", 269_000_000),
            _language_model(134_515_008, 30, 576, 20.7, 10_176, 49_152),
        ),
        "en",
    ),
    _in_parts(
        "whisper_smollm2_360m",
        (_SMALL, _WHISPER_SMALL),
        (
            _smollm2("360M", 724_000_000),
            _language_model(361_821_120, 32, 960, 20.7, 16_960, 49_152),
        ),
        "en",
    ),
    _in_parts(
        "whisper_smollm2_1_7b",
        (_SMALL, _WHISPER_SMALL),
        (
            _smollm2("1.7B", 3_420_000_000),
            _language_model(1_711_376_384, 24, 2048, 26, 47_104, 49_152),
        ),
        "en",
    ),
    _in_parts(
        "whisper_qwen3",
        (_TURBO, _WHISPER_LARGE),
        (
            Checkpoint("Qwen/Qwen3-0.6B", 1_500_000_000, "Apache-2.0"),
            _language_model(596_049_920, 28, 1024, 30, 22_528, 151_936),
        ),
        _WHISPER_LANGUAGES,
    ),
)
# fmt: on
