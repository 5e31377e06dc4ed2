"""All augmentations of an utterance: first drawn, then made.

What is drawn is a function of (seed, epoch, utterance) alone, so that it is the same with any
number of workers, after a resume and on any rank; each augmentation draws for itself.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from mynah.config.schema import AugmentationConfig
from mynah.config.schema.augmentation import ROOM_PROBABILITY
from mynah.data.augmentation import draws
from mynah.data.augmentation.audio_folder import AudioFolder, open_folder, read_file
from mynah.data.augmentation.gain import apply_gain, within_full_scale
from mynah.data.augmentation.noise import Piece, mix, noise, recorded_noise
from mynah.data.augmentation.rooms import reverberate, trimmed
from mynah.data.augmentation.shoebox import Shoebox, draw_shoebox, impulse_response
from mynah.data.augmentation.spec_augment import mask_features
from mynah.data.augmentation.speed import change_speed
from mynah.data.augmentation.telephone import CODECS, telephone

_KEPT_RESPONSES = 256  # impulse responses kept a process: 13 MB where they ring for 0.8 s


@dataclass(frozen=True)
class Drawn:
    """What was drawn for one utterance in one epoch; None: not this time.

    Attributes:
        speed: Factor of the speed.
        room: Number of the simulated room, or of the file with its response.
        gain_db: Decibels louder.
        snr_db: Decibels that the speech is above the noise.
        noise_colour: Of made noise: 0 white, 1 pink.
        noise_seed: Of made noise: where in it the piece begins.
        noise_pieces: Of recorded noise.
        codec: Of the telephone.
    """

    speed: float | None = None
    room: int | None = None
    gain_db: float | None = None
    snr_db: float | None = None
    noise_colour: float | None = None
    noise_seed: int = 0
    noise_pieces: tuple[Piece, ...] = ()
    codec: str | None = None


class Augmentation:
    """Draws and makes the augmentations of a training; it can be pickled into workers.

    Args:
        config: What is on.
        sample_rate: Hertz of the audio.
        seed: Of the run.
        noises: Recorded noise, where ``config.noise_folder`` names it.
        responses: Impulse responses, where ``config.room_folder`` names them.

    Attributes:
        config: What is on.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        *,
        sample_rate: int,
        seed: int,
        noises: AudioFolder | None = None,
        responses: AudioFolder | None = None,
    ) -> None:
        self.config = config
        self._sample_rate = sample_rate
        self._seed = seed
        self._noises = noises
        self._responses = responses

    @classmethod
    def open(cls, config: AugmentationConfig, *, sample_rate: int, seed: int) -> Augmentation:
        """With the folders that the settings name, each file of them looked at.

        Raises:
            UserError: A folder is missing, or holds no audio that can be used.
        """
        noises = responses = None
        if config.noise_folder and config.noise_snr_db and config.noise_probability:
            noises = open_folder(config.noise_folder, "data.augmentation.noise_folder", "noise")
        if config.room_folder and room_probability(config):
            responses = open_folder(config.room_folder, "data.augmentation.room_folder", "room")
        return cls(config, sample_rate=sample_rate, seed=seed, noises=noises, responses=responses)

    @property
    def masks(self) -> bool:
        """Whether SpecAugment is on."""
        config = self.config.spec_augment
        return bool((config.time_masks or config.frequency_masks) and config.probability)

    def fingerprints(self) -> dict[str, str]:
        """Of the folders, by the setting that names each."""
        return {name: folder.fingerprint for name, folder in self._folders().items()}

    def report(self) -> dict[str, Any]:
        """What the folders hold and what of it is left out, for ``data.json``."""
        return {
            name: {
                "files": len(folder.files),
                "hours": round(float(folder.seconds.sum()) / 3600, 4),
                "left out": [{"file": file, "reason": reason} for file, reason in folder.dropped],
            }
            for name, folder in self._folders().items()
        }

    def draw(self, *, epoch: int, utterance_id: str) -> Drawn:
        """What becomes of the waveform of one utterance in one epoch."""
        config = self.config
        drawn: dict[str, Any] = {}
        if config.speed_factors:
            one = self._generator("speed", epoch, utterance_id)
            if one.random() < config.speed_probability:
                place = int(one.random() * len(config.speed_factors))
                drawn["speed"] = config.speed_factors[place]
        if probability := room_probability(config):
            one = self._generator("room", epoch, utterance_id)
            if one.random() < probability:
                responses = self._responses
                rooms = len(responses.files) if responses else config.simulated_rooms
                drawn["room"] = int(one.random() * rooms)
        if config.gain_db:
            one = self._generator("gain", epoch, utterance_id)
            if one.random() < config.gain_probability:
                drawn["gain_db"] = draws.between(one, [-config.gain_db, config.gain_db])
        if config.noise_snr_db:
            one = self._generator("noise", epoch, utterance_id)
            if one.random() < config.noise_probability:
                drawn["snr_db"] = draws.between(one, config.noise_snr_db)
                drawn |= self._draw_noise(one)
        if config.telephone_probability:
            one = self._generator("telephone", epoch, utterance_id)
            if one.random() < config.telephone_probability:
                drawn["codec"] = CODECS[int(one.random() * len(CODECS))]
        return Drawn(**drawn)

    def waveform(self, audio: np.ndarray, drawn: Drawn) -> np.ndarray:
        """Make what was drawn: float32 [samples] to float32 [round(samples / speed)].

        In the order of the world: a voice in a room, its level, the noise around it, the line
        to where it is heard. ``audio`` itself where nothing was drawn.

        Raises:
            ValueError: A recording of noise or of a room has become unreadable.
        """
        if not len(audio):
            return audio
        made, rate = audio, self._sample_rate
        if drawn.speed not in (None, 1.0):
            made = change_speed(made, drawn.speed)
        if drawn.room is not None:
            made = reverberate(made, *self._response(drawn.room))
        if drawn.gain_db is not None:
            made = apply_gain(made, drawn.gain_db)
        if drawn.snr_db is not None:
            made = mix(made, self._noise(drawn, len(made)), drawn.snr_db)
        if drawn.codec is not None:
            made = telephone(within_full_scale(made), rate, drawn.codec)
        return within_full_scale(made) if made is not audio else audio

    def features(self, features: np.ndarray, *, epoch: int, utterance_id: str) -> np.ndarray:
        """SpecAugment, where it is on: float32 [frames, bins] to float32 [frames, bins]."""
        config = self.config.spec_augment
        if not self.masks:
            return features
        one = self._generator("spec_augment", epoch, utterance_id)
        if one.random() >= config.probability:
            return features
        return mask_features(features, config, one)

    def describe(self, drawn: Drawn) -> dict[str, Any]:
        """What was drawn, for people: only what is on, a simulated room with its sizes."""
        described: dict[str, Any] = {}
        if drawn.speed is not None:
            described["speed"] = drawn.speed
        if drawn.room is not None and self._responses is not None:
            described["room"] = self._responses.files[drawn.room]
        elif drawn.room is not None:
            room = self._shoebox(drawn.room)
            described["room"] = {
                "number": drawn.room,
                **dataclasses.asdict(room),
                "distance_meters": room.distance_meters,
            }
        if drawn.gain_db is not None:
            described["gain_db"] = drawn.gain_db
        if drawn.snr_db is not None:
            described["noise"] = {"snr_db": drawn.snr_db}
            if self._noises is not None:
                described["noise"]["pieces"] = [
                    {"file": self._noises.files[piece.file], "place": piece.place}
                    for piece in drawn.noise_pieces
                ]
            else:
                described["noise"]["colour"] = drawn.noise_colour
        if drawn.codec is not None:
            described["telephone"] = drawn.codec
        return described

    def _generator(self, purpose: str, epoch: int, utterance_id: str) -> np.random.Generator:
        return draws.generator(purpose, self._seed, epoch, utterance_id)

    def _folders(self) -> dict[str, AudioFolder]:
        named = {"noise_folder": self._noises, "room_folder": self._responses}
        return {name: folder for name, folder in named.items() if folder is not None}

    def _draw_noise(self, one: np.random.Generator) -> dict[str, Any]:
        if self._noises is None:
            return {"noise_colour": one.random(), "noise_seed": int(one.integers(1 << 32))}
        sources = 1 + int(one.random() * self.config.noise_sources)
        files = len(self._noises.files)
        drawn = one.random((sources, 2)).tolist()
        return {"noise_pieces": tuple(Piece(int(file * files), place) for file, place in drawn)}

    def _noise(self, drawn: Drawn, samples: int) -> np.ndarray:
        if drawn.noise_pieces:
            assert self._noises is not None
            return recorded_noise(self._noises, drawn.noise_pieces, samples, self._sample_rate)
        assert drawn.noise_colour is not None
        return noise(samples, drawn.noise_colour, np.random.default_rng(drawn.noise_seed))

    def _shoebox(self, number: int) -> Shoebox:
        return draw_shoebox(
            np.random.default_rng([self._seed, number]),
            size_meters=self.config.room_size_meters,
            rt60_seconds=self.config.room_rt60_seconds,
            distance_meters=self.config.room_distance_meters,
        )

    def _response(self, room: int) -> tuple[np.ndarray, int]:
        if self._responses is None:
            return _simulated(self._shoebox(room), self._sample_rate), 0
        folder = self._responses
        return _recorded(str(folder.root / folder.files[room]), self._sample_rate)


_simulated = functools.lru_cache(maxsize=_KEPT_RESPONSES)(impulse_response)


@functools.lru_cache(maxsize=_KEPT_RESPONSES)
def _recorded(path: str, sample_rate: int) -> tuple[np.ndarray, int]:
    """The first channel of a measured response: the others were heard elsewhere."""
    return trimmed(read_file(path, sample_rate, channel=0))


def room_probability(config: AugmentationConfig) -> float:
    """Share of the utterances that are heard in a room."""
    if config.room_probability is not None:
        return config.room_probability
    return ROOM_PROBABILITY if config.room_folder else 0.0
