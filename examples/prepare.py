"""Read a corpus as a training would see it.

python examples/prepare.py calls/ [data.max_audio_seconds=20 ...]
"""

import sys

import mynah


def main() -> None:
    """Print the hours, the first rows and the shape of their samples."""
    corpus = mynah.prepare(sys.argv[1], sys.argv[2:])
    print(f"{len(corpus)} utterances, {corpus.hours:.3f} h, {corpus.sample_rate} Hz")
    for row in range(min(3, len(corpus))):
        utterance = corpus[row]
        samples = corpus.read_audio(row)  # mono float32 [samples]
        print(f"{utterance.id}: {len(samples)} samples, {utterance.text!r}")


if __name__ == "__main__":
    main()
