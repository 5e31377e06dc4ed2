"""When words begin, beside the times at which espeak-ng says that it speaks them.

    python benchmarks/word_times.py sentences.txt [--model openai/whisper-tiny.en]
        [--voices en-us en-gb] [--rate 140]

Each line of the file is spoken by each voice, half a second of silence before it, and transcribed.
Of the words that were recognized, in order, the beginnings are compared with espeak-ng's own word
events: the median and the 90th percentile of the errors' size, and the median of the errors.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path

import numpy as np

import mynah
from mynah.inference.load import BASE

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from espeak_words import spoken

_SILENCE_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--model", default=BASE)
    parser.add_argument("--voices", nargs="+", default=["en-us"])
    parser.add_argument("--rate", type=int, default=140)
    arguments = parser.parse_args()
    recognizer = mynah.load(arguments.model, offline=True)
    lines = arguments.sentences.read_text(encoding="utf-8").splitlines()
    errors: list[float] = []
    words = 0
    for voice in arguments.voices:
        for line in filter(None, map(str.strip, lines)):
            audio, hertz, starts = spoken(line, voice=voice, rate=arguments.rate)
            assert len(line.split()) == len(starts), f"espeak-ng reads {line!r} as other words"
            silence = np.zeros(round(_SILENCE_SECONDS * hertz), np.float32)
            found = recognizer.transcribe(
                np.concatenate([silence, audio]), sample_rate=hertz, words=True
            )
            if found.words is None:
                sys.exit("this model tells no times of words")
            said = [(_plain(word.text), word.start_seconds) for word in found.words]
            true = list(zip(map(_plain, line.split()), starts, strict=True))
            errors += _errors(true, said)
            words += len(true)
    if not errors:
        sys.exit(f"none of {words} words was recognized")
    size = np.abs(errors)
    print(
        f"{len(errors)} of {words} words recognized: off by {np.median(size):.3f} s (median), "
        f"{np.percentile(size, 90):.3f} s (90th percentile); late by {np.median(errors):+.3f} s"
    )


def _errors(true: list[tuple[str, float]], said: list[tuple[str, float]]) -> list[float]:
    """Seconds that each word begins too late, of the words that are the same in order."""
    matcher = difflib.SequenceMatcher(
        None, [word for word, _ in true], [word for word, _ in said], autojunk=False
    )
    return [
        said[block.b + step][1] - _SILENCE_SECONDS - true[block.a + step][1]
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def _plain(word: str) -> str:
    return re.sub(r"\W", "", word.lower())


if __name__ == "__main__":
    main()
