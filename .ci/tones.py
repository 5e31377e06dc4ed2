"""Write a folder of short recordings, a tone a letter, with their transcripts beside them."""

import sys
import wave
from pathlib import Path

import numpy as np

RATE = 16000


def main() -> None:
    """Write twelve recordings into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir()
    for number in range(12):
        text = "".join("abcd"[(number + place) % 4] for place in range(4))
        clock = np.arange(RATE // 2) / RATE
        tones = [np.sin(2 * np.pi * 200 * ("abcd".index(letter) + 1) * clock) for letter in text]
        samples = (np.concatenate(tones) * 8000).astype("<i2")
        with wave.open(str(folder / f"{number:02d}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.tobytes())
        (folder / f"{number:02d}.txt").write_text(text)


if __name__ == "__main__":
    main()
