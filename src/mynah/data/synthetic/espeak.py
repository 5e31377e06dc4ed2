"""Speech from text by espeak-ng: voices, rate, pitch, level and background noise.

The library comes with the package espeakng-loader and is called through ctypes. Its state
is global, so that a process has one :class:`Espeak`, and several voices at once need
several processes.
"""

from __future__ import annotations

import ctypes
import functools
import io
from dataclasses import dataclass

import numpy as np

from mynah.data.augmentation.noise import noise
from mynah.data.augmentation.telephone import telephone
from mynah.errors import UserError

# Accent, then variant (a different vocal tract). Evaluation shares no variant with training,
# and one of its accents, en-gb-x-rp, is never trained on.
TRAIN_VOICES = (
    "en-us", "en-us+m1", "en-us+m3", "en-us+m4", "en-us+f1", "en-us+f3", "en-us+max",
    "en", "en+m2", "en+m4", "en+m8", "en+f3", "en+f4", "en+adam", "en+Andrea",
    "en-gb-scotland+m1", "en-gb-scotland+m4", "en-gb-scotland+f1",
)  # fmt: skip
EVALUATION_VOICES = (
    "en-us+m6", "en-us+f2", "en-us+m7", "en+m5", "en+f5", "en-gb-scotland+f2",
    "en-gb-x-rp+m6", "en-gb-x-rp+f2",
)  # fmt: skip

RATES = (145, 175)  # words a minute, sampled from
PITCHES = (35, 65)  # espeak's scale, 0 to 100, sampled from
_EDGE_SECONDS = (0.05, 0.25)  # silence before and after the speech, sampled from
_LEVEL_DB = (-26.0, -20.0)  # root mean square of the recording against full scale, sampled from

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3


@dataclass(frozen=True)
class Spoken:
    """How one sentence is spoken: all that its recording depends on.

    Attributes:
        id: Of the utterance.
        text: What is said.
        voice: An espeak voice, as ``"en-us+f3"``.
        rate: Words a minute.
        pitch: 0 to 100.
        snr_db: Speech over noise, decibels; None: no noise.
        seed: Of the noise, the level and the silences.
        codec: Of the telephone that carries it, one of ``telephone.CODECS``; None: none does.
    """

    id: str
    text: str
    voice: str
    rate: int
    pitch: int
    snr_db: float | None
    seed: int
    codec: str | None = None


class Espeak:
    """The espeak-ng library of this process.

    Raises:
        UserError: espeak-ng is not installed, or does not start.
    """

    def __init__(self) -> None:
        library, data = _locate()
        try:
            self._library = ctypes.CDLL(library)
        except OSError as problem:
            raise UserError(
                f"The espeak-ng library does not load: {problem}", where=library, fix=_FIX
            ) from problem
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.sample_rate: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0
        )
        if self.sample_rate <= 0:
            raise UserError("espeak-ng does not start.", where=data, fix=_FIX)
        self.version: str = self._library.espeak_Info(None).decode()
        self._chunks: list[bytes] = []
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = callback(self._receive)  # kept: the library holds no reference
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(self, text: str, voice: str, rate: int, pitch: int) -> np.ndarray:
        """float32 [samples] at :attr:`sample_rate`.

        Raises:
            ValueError: There is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice}")
        self._library.espeak_SetParameter(_PARAMETER_RATE, rate, 0)
        self._library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        self._chunks.clear()
        # Breathy voices draw from a generator that espeak seeds by the clock (since 1.52; an
        # older library has no such function, and its recordings differ from run to run).
        if hasattr(self._library, "espeak_ng_SetRandSeed"):
            self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(
            encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        self._library.espeak_Synchronize()
        samples = np.frombuffer(b"".join(self._chunks), dtype=np.int16)
        return samples.astype(np.float32) / 32768.0


_FIX = "pip install 'mynah-asr[speech]', or train on recordings: data.dataset_name=FOLDER"


def _locate() -> tuple[str, str]:
    """Paths of the library and of its data."""
    try:
        import espeakng_loader
    except ImportError as problem:
        raise UserError(
            "The embedded corpus is spoken by espeak-ng, which is not installed.",
            where="data.dataset_name=synthetic",
            fix=_FIX,
        ) from problem
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@functools.cache
def espeak() -> Espeak:
    """The one :class:`Espeak` of this process."""
    return Espeak()


def record_speech(spoken: Spoken, sample_rate: int) -> np.ndarray:
    """Speak a sentence and put it into a room: float32 [samples] at ``sample_rate`` hertz."""
    import soxr

    library = espeak()
    speech = library.speak(spoken.text, spoken.voice, spoken.rate, spoken.pitch)
    speech = soxr.resample(_trimmed(speech), library.sample_rate, sample_rate, quality="HQ")
    generator = np.random.default_rng(spoken.seed)
    before, after = (generator.uniform(*_EDGE_SECONDS, size=2) * sample_rate).astype(int)
    level = 10 ** (generator.uniform(*_LEVEL_DB) / 20)
    power = float(np.sqrt(np.mean(np.square(speech)))) or 1.0
    audio = np.pad(speech * (level / power), (before, after)).astype(np.float32)
    if spoken.snr_db is not None:
        colour = generator.uniform(0.0, 1.0)  # 0 white, 1 pink
        audio += noise(len(audio), colour, generator) * level * 10 ** (-spoken.snr_db / 20)
    peak = float(np.max(np.abs(audio), initial=0.0))
    audio = audio / (peak / 0.99) if peak > 0.99 else audio
    return audio if spoken.codec is None else telephone(audio, sample_rate, spoken.codec)


def to_flac(audio: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit FLAC file."""
    import soundfile

    held = io.BytesIO()
    soundfile.write(held, audio, sample_rate, format="FLAC", subtype="PCM_16")
    return held.getvalue()


def _trimmed(speech: np.ndarray) -> np.ndarray:
    """Without the silence that espeak leaves around a sentence."""
    loud = np.flatnonzero(np.abs(speech) > 0.003)
    return speech[loud[0] : loud[-1] + 1] if len(loud) else speech
