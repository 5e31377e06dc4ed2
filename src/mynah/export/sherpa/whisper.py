"""sherpa-onnx's layout of a Whisper: two graphs, what it reads beside them, and the tokens' bytes.

Names, order and metadata are those that ``csrc/offline-whisper-model.cc`` of sherpa-onnx reads.
Its features are not quite ours: it looks at frames 5 ms later. What it puts behind a recording is
made what Whisper was trained with inside the graph.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mynah.export.onnx import BUILDER, write_graph
from mynah.export.runtimes import Program, start
from mynah.export.target import DecodingWay, Said, Sample, Target
from mynah.export.whisper import (
    check_whisper,
    greedy_in_window,
    of_whisper,
    run_whisper,
    token_bytes,
    window_features,
)
from mynah.models.text.tokenizers import text_of

if TYPE_CHECKING:
    from mynah.models.family import Family
    from mynah.models.seq2seq.family import Seq2Seq

SHERPA = Program("sherpa-onnx", "sherpa_onnx", {"sherpa-onnx": "sherpa_onnx"})
GRAPHS = Program("onnxruntime", "whisper_graphs", {"onnxruntime": "onnxruntime"})
ENCODER, DECODER, TOKENS = "encoder.onnx", "decoder.onnx", "tokens.txt"
_CROSS = ("n_layer_cross_k", "n_layer_cross_v")
_SELF = ("n_layer_self_k_cache", "n_layer_self_v_cache")
_TRACED_TOKENS = 3  # of the prompt that the decoder is traced with

_USAGE = """
import sherpa_onnx
import soundfile

recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(
    "encoder.onnx", "decoder.onnx", "tokens.txt", language="en"
)
audio, rate = soundfile.read("call.wav", dtype="float32")
stream = recognizer.create_stream()
stream.accept_waveform(rate, audio)
recognizer.decode_stream(stream)
print(stream.result.text.strip())
"""


class SherpaWhisper(Target):
    """``encoder.onnx`` and ``decoder.onnx`` with ``tokens.txt``."""

    name: ClassVar[str] = "sherpa-onnx"
    about: ClassVar[str] = "Whisper for sherpa-onnx"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    exact: ClassVar[frozenset[str]] = frozenset({"float32"})
    programs: ClassVar[tuple[Program, ...]] = (SHERPA,)
    usage: ClassVar[str] = _USAGE
    builder: ClassVar[Program | None] = BUILDER
    approximate: ClassVar[str] = (
        "sherpa-onnx computes features of its own, which are not quite those that the model was "
        "trained on"
    )

    def check(self, family: Family) -> None:
        check_whisper(family, self.name)

    def plain(self, family: Family) -> Family:
        whisper = greedy_in_window(family)
        whisper.model.set_attn_implementation("eager")
        return whisper

    def write(self, family: Family, folder: Path, dtype: str) -> None:
        import torch

        from mynah.export.sherpa.whisper_graph import DecoderGraph, EncoderGraph

        whisper = of_whisper(family)
        model, config = whisper.model.eval().cpu(), whisper.model.config
        given = model.generation_config
        encoder = EncoderGraph(model)
        decoder = DecoderGraph(
            model, given.suppress_tokens or (), given.begin_suppress_tokens or ()
        )
        write_graph(
            whisper,
            encoder,
            {"mel": torch.randn(1, config.num_mel_bins, encoder.window // 2)},
            [{2: "frames"}],
            folder / ENCODER,
            outputs=_CROSS,
            metadata=_metadata(whisper),
        )
        size = (config.decoder_layers, 1, config.max_target_positions, config.d_model)
        heard = (config.decoder_layers, 1, config.max_source_positions, config.d_model)
        inputs = {
            "tokens": torch.zeros(1, _TRACED_TOKENS, dtype=torch.int64),
            **{f"in_{name}": torch.zeros(size) for name in _SELF},
            **{name: torch.zeros(heard) for name in _CROSS},
            "offset": torch.zeros(1, dtype=torch.int64),
        }
        write_graph(
            whisper,
            decoder,
            inputs,
            [{1: "tokens"}, *({} for _ in range(len(inputs) - 1))],
            folder / DECODER,
            outputs=("logits", *(f"out_{name}" for name in _SELF)),
        )
        (folder / TOKENS).write_text(_tokens(whisper), encoding="utf-8")

    def graph(self, family: Family, folder: Path, samples: Sequence[Sample]) -> list[str] | None:
        from mynah.models.seq2seq.clip_length import most_tokens

        whisper = of_whisper(family)
        lines, _ = start(
            GRAPHS,
            folder,
            audios=[window_features(whisper, sample.audio) for sample in samples],
            prompts=[whisper.prompts.ids(sample.language) for sample in samples],
            most_tokens=[most_tokens(sample.seconds) for sample in samples],
            end=whisper.model.config.eos_token_id,
        )
        return [text_of(whisper.tokenizer, line["tokens"]) for line in lines]

    def run(
        self, program: Program, family: Family, folder: Path, samples: Sequence[Sample], *,
        way: DecodingWay, dtype: str,
    ) -> Said:  # fmt: skip
        whisper = of_whisper(family)
        return run_whisper(program, whisper, folder, samples, sample_rate=whisper.sample_rate)


def _tokens(family: Seq2Seq) -> str:
    """A line for each token that is written: its bytes in base64, and its number."""
    written = token_bytes(family.tokenizer, family.model.config.eos_token_id)
    return "".join(
        f"{base64.b64encode(one).decode('ascii')} {number}\n" for number, one in enumerate(written)
    )


def _metadata(family: Seq2Seq) -> dict[str, str]:
    """What sherpa-onnx asks of the encoder's graph."""
    config, prompts = family.model.config, family.prompts
    known = family.tokenizer.get_vocab()
    languages = {code: known[f"<|{code}|>"] for code in prompts.languages}
    start = known["<|startoftranscript|>"]
    before = [start, *prompts.ids("")[1:-1]]  # without <|notimestamps|>, which it adds
    silent = known.get("<|nospeech|>", known.get("<|nocaptions|>", start))
    (space,) = family.tokenizer.encode(" ", add_special_tokens=False)
    found: dict[str, object] = {
        "model_type": "whisper",
        "version": 1,
        "maintainer": "mynah",
        "n_mels": config.num_mel_bins,
        "n_audio_ctx": config.max_source_positions,
        "n_vocab": config.vocab_size,
        "n_text_layer": config.decoder_layers,
        "n_text_ctx": config.max_target_positions,
        "n_text_state": config.d_model,
        "is_multilingual": int(bool(languages)),
        "sot": start,
        "sot_sequence": ",".join(map(str, before)),
        "eot": config.eos_token_id,
        "blank_id": space,
        "no_speech": silent,
        "no_timestamps": known["<|notimestamps|>"],
        "transcribe": known["<|transcribe|>"],
        "translate": known["<|translate|>"],
        "all_language_codes": ",".join(languages),
        "all_language_tokens": ",".join(map(str, languages.values())),
    }
    return {name: str(value) for name, value in found.items()}
