"""Load a model once and transcribe with it.

    python examples/transcribe.py call.wav [more.wav ...] [--model outputs/model]

Without --model it is OpenAI's Whisper tiny.en, which the extra `base` brings.
"""

import argparse

import mynah


def main() -> None:
    """Print one transcript in full, and of many recordings a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="openai/whisper-tiny.en")
    given = parser.parse_args()

    recognizer = mynah.load(given.model)
    first, *others = given.recordings

    # A path, the bytes of a file, or samples with their sample_rate; of any length.
    found = recognizer.transcribe(first)
    print(found.text)

    # Segments of a long recording, each as soon as it is decoded.
    for segment in recognizer.stream_file(first):
        print(f"{segment.start_seconds:7.2f} s  {segment.text}")

    # Many are decoded together; one that cannot be read costs only itself.
    for one in recognizer.transcribe_many(others):
        print(f"{one.source}: {one.error or one.text}")


if __name__ == "__main__":
    main()
