"""What each augmentation costs beside the features of the same audio.

    python benchmarks/augmentation.py [data=an4 data.path=PATH] [--repeats 7]

For each augmentation alone, and for all together, on every utterance (probability 1): milliseconds
a second of audio on one core, and the ratio to what decoding and the small model's log-mel
features of the same utterances take in the same turn; medians of the repeats. What one
room's simulation takes, which happens once a process, is timed apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mynah.config.hydra.compose import compose
from mynah.config.schema import AugmentationConfig, SpecAugmentConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.augmentation.shoebox import draw_shoebox, impulse_response
from mynah.data.preparation.prepare import prepare
from mynah.models import registry

_UTTERANCES = 200
ALL = AugmentationConfig(
    speed_factors=[0.9, 1.1],
    room_probability=1.0,
    simulated_rooms=20,
    gain_db=6.0,
    noise_snr_db=[5.0, 25.0],
    telephone_probability=1.0,
    vocal_tract_factors=[0.9, 1.1],
    spec_augment=SpecAugmentConfig(time_masks=2, frequency_masks=2),
)
NONE = AugmentationConfig()
KINDS = {
    "speed": replace(NONE, speed_factors=ALL.speed_factors),
    "room, simulated": replace(NONE, room_probability=1.0, simulated_rooms=20),
    "gain": replace(NONE, gain_db=6.0),
    "noise, made": replace(NONE, noise_snr_db=ALL.noise_snr_db),
    "noise, recorded": replace(NONE, noise_snr_db=ALL.noise_snr_db),
    "telephone": replace(NONE, telephone_probability=1.0),
    "vocal tract": replace(NONE, vocal_tract_factors=ALL.vocal_tract_factors),
    "SpecAugment": replace(NONE, spec_augment=ALL.spec_augment),
    "all together": ALL,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", default=[], help="as of mynah train")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [] if any("data=" in text for text in arguments.settings) else ["data=small"]
    config = compose(["model=small", *chosen, *arguments.settings]).config
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    corpus = corpus.select(range(min(_UTTERANCES, len(corpus))))
    rate = corpus.sample_rate
    family = registry.build(config.model, texts=list(corpus.texts), sample_rate=rate, offline=True)
    files = [corpus.audio_file(row) for row in range(len(corpus))]
    noise = next((str(file.parent) for file in files if file is not None), None)
    audios = [corpus.read_audio(row) for row in range(len(corpus))]
    features = [family.features(audio) for audio in audios]
    seconds = sum(map(len, audios)) / rate
    print(f"{len(audios)} utterances, {seconds:.0f} s")

    def decode_and_features() -> None:
        for row in range(len(corpus)):
            family.features(corpus.read_audio(row))

    for name, settings in KINDS.items():
        if name == "noise, recorded":
            if noise is None:
                continue
            settings = replace(settings, noise_folder=noise)  # speech of others: babble
        augmentation = Augmentation.open(settings, sample_rate=rate, seed=1)

        def change(epoch: int, augmentation: Augmentation = augmentation) -> None:
            for row, audio in enumerate(audios):
                sampled = augmentation.draw(epoch=epoch, utterance_id=str(row))
                augmentation.waveform(audio, sampled)
                augmentation.features(features[row], epoch=epoch, utterance_id=str(row))

        change(0)  # rooms are simulated now
        costs, ratios = [], []
        for epoch in range(1, 1 + arguments.repeats):
            began = time.perf_counter()
            change(epoch)
            halfway = time.perf_counter()
            decode_and_features()
            ended = time.perf_counter()
            costs.append((halfway - began) / seconds)
            ratios.append((halfway - began) / (ended - halfway))
        print(
            f"{name:16} {1000 * statistics.median(costs):6.2f} ms a second of audio, "
            f"{statistics.median(ratios):5.2f} of decoding and features"
        )
    took = []
    for number in range(20):
        room = draw_shoebox(
            np.random.default_rng(number),
            size_meters=NONE.room_size_meters,
            rt60_seconds=NONE.room_rt60_seconds,
            distance_meters=NONE.room_distance_meters,
        )
        began = time.perf_counter()
        impulse_response(room, rate)
        took.append(time.perf_counter() - began)
    print(f"one room simulated, once: {1000 * statistics.mean(took):.0f} ms")


if __name__ == "__main__":
    main()
