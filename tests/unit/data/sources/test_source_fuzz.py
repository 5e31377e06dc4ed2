"""Whatever bytes a listing holds, they end in rows or in a message to the user."""

import io
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_helpers import opened

from mynah.data.row import Row
from mynah.errors import UserError


def lines(*rows):
    return "".join(f"{row}\n" for row in rows).encode()


def json_lines(*rows):
    return lines(*map(json.dumps, rows))


def tar(*files):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as opened_tar:
        for name, content in files:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            opened_tar.addfile(about, io.BytesIO(content))
    return held.getvalue()


def parquet(*rows):
    held = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), held)
    return held.getvalue()


LISTED = {
    "audio": "a.wav", "text": "hello", "offset": 0.5, "duration": 1, "channel": 0,
    "no_speech": False, "split": "train", "id": "x",
}  # fmt: skip
NEMO = {"audio_filepath": "a.wav", "text": "hello", "offset": 0.5, "duration": 1, "shard_id": 0}
RECORDING = {
    "id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}],
    "sampling_rate": 16000, "num_samples": 16000, "duration": 1.0,
}  # fmt: skip
SAID = {
    "id": "s", "recording_id": "r", "start": 0.0, "duration": 1.0, "channel": 0, "text": "hello",
    "speaker": "ann", "language": "en",
}  # fmt: skip
CUT = {
    "id": "c", "start": 0.0, "duration": 1.0, "channel": 0, "supervisions": [SAID],
    "recording": RECORDING, "type": "MonoCut",
}  # fmt: skip
CV = "client_id\tpath\tsentence\tlocale"
WAV_SCP = b"r a.wav\ns wav.ark:12\n"

# what is damaged: format, its files, which of them
TARGETS = {
    "csv": ("folder", {"metadata.csv": lines("file_name,text,start,end", 'a.wav,"hi, you",0,1')},
            "metadata.csv"),
    "tsv": ("folder", {"metadata.tsv": lines("path\tsentence", "a.wav\thello")}, "metadata.tsv"),
    "jsonl": ("folder", {"metadata.jsonl": json_lines(LISTED, LISTED)}, "metadata.jsonl"),
    "json": ("folder", {"metadata.json": json.dumps([LISTED, LISTED]).encode()}, "metadata.json"),
    "parquet": ("folder", {"metadata.parquet": parquet(LISTED, LISTED)}, "metadata.parquet"),
    "txt beside": ("folder", {"a.txt": b"hello"}, "a.txt"),
    "nemo": ("nemo", {"manifest.json": json_lines(NEMO, {**NEMO, "shard_id": None}),
                      "audio_0.tar": tar(("a.wav", b"x"))}, "manifest.json"),
    "nemo tar": ("nemo", {"manifest.json": json_lines(NEMO),
                          "audio_0.tar": tar(("a.wav", b"x"))}, "audio_0.tar"),
    "nemo gz": ("nemo", {"manifest.json.gz": json_lines(NEMO)}, "manifest.json.gz"),
    "lhotse": ("lhotse", {"cuts.jsonl": json_lines(CUT, CUT)}, "cuts.jsonl"),
    "recordings": ("lhotse", {"recordings.jsonl": json_lines(RECORDING),
                              "supervisions.jsonl": json_lines(SAID)}, "recordings.jsonl"),
    "supervisions": ("lhotse", {"recordings.jsonl": json_lines(RECORDING),
                                "supervisions.jsonl": json_lines(SAID)}, "supervisions.jsonl"),
    **{
        name: ("kaldi", {"wav.scp": WAV_SCP, "wav.ark": b"0" * 12 + b"RIFF\x10\0\0\0WAVE",
                         "segments": b"u r 0.0 1.5\nv r 1 -1 A\n",
                         "text": b"u hello\nv there\n", "utt2spk": b"u ann\n",
                         "utt2lang": b"u en\n", "reco2file_and_channel": b"r a A\n"}, name)
        for name in ("wav.scp", "segments", "text", "reco2file_and_channel")
    },
    "common_voice": ("common_voice", {"clips/a.mp3": b"",
                                      "train.tsv": lines(CV, "c\ta.mp3\thi\tde")}, "train.tsv"),
    "ljspeech": ("ljspeech", {"metadata.csv": lines("a|b|c", "d|e|f")}, "metadata.csv"),
    "speechocean762": ("speechocean762", {"WAVE/a.WAV": b"", "train/wav.scp": b"a WAVE/a.WAV\n",
                                          "resource/scores.json": b'{"a": {"text": "x"}}'},
                       "resource/scores.json"),
    "an4": ("an4", {"etc/an4_train.fileids": b"a/b\n",
                    "etc/an4_train.transcription": b"<s> YES </s> (b)\n"},
            "etc/an4_train.transcription"),
    "librispeech": ("librispeech", {"train-clean-5/1/2/1-2.trans.txt": b"1-2-0 HELLO\n"},
                    "train-clean-5/1/2/1-2.trans.txt"),
    "webdataset": ("webdataset", {"a.tar": tar(("a.wav", b"x"), ("a.json", b'{"text": "x"}'),
                                               ("b.wav", b"y"), ("b.txt", b"z"))}, "a.tar"),
    "disk": ("disk", {"dataset_dict.json": b'{"splits": ["train"]}'}, "dataset_dict.json"),
}  # fmt: skip

WORDS = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\t", b"|", b'"', b"\\", b"\\ud800",
    b"../", b"~", b"://", b"null", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b"[" * 5000,
    b"{}", b"[]", b'""', b"true", b"\xc3", b"\xe2\x80\xa8", b" ", b"\n", b"_OP_0..9_CL_",
]  # fmt: skip


@st.composite
def damaged(draw, content):
    """The content with pieces cut, repeated and put in; or something else altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 20)))
        put = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)))
        content = content[:start] + put + content[end:]
    return content


def outcome(format, files, changed, content):
    """Write the corpus and list its rows: they are rows, or there is a message."""
    root = Path(tempfile.mkdtemp())
    try:
        for name, held in {**files, changed: content, "a.wav": b"", "mark": b""}.items():
            (root / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "corpus" / name).write_bytes(held)
        before = set(root.rglob("*"))
        try:
            source = opened(root, root / "corpus", format=format)
            if format == "disk":
                return source.splits()
            rows = [
                row
                for split in source.splits()
                for part in source.parts(split)
                for row in source.rows(part)
            ]
        except UserError as problem:
            assert problem.what.strip()
            rows = []
        for row in rows:
            assert isinstance(row, Row)
            # It can be written to a table: no lone surrogates, no foreign types.
            for text in (row.id, row.text or "", row.speaker, row.language, row.path or ""):
                text.encode("utf-8")
            assert row.offset_seconds >= 0
        assert set(root.rglob("*")) == before  # nothing was run or unpacked
    finally:
        shutil.rmtree(root)
    return rows


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_of_a_listing_end_in_rows_or_a_message(name):
    format, files, changed = TARGETS[name]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damaged(files[changed]))
    def holds(content):
        outcome(format, files, changed, content)

    holds()


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.sampled_from(["a.wav", "file", "command", "MultiCut", "MixedCut", "0", "A", "\ud800"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner,
                                                                max_size=3),
    max_leaves=4,
)  # fmt: skip


@st.composite
def altered(draw, row):
    """An object of which some value, somewhere inside, is of another type."""
    if isinstance(row, dict) and row and draw(st.integers(0, 6)):
        key = draw(st.sampled_from(sorted(row)))
        if not draw(st.integers(0, 5)):
            return {name: value for name, value in row.items() if name != key}
        return {**row, key: draw(altered(row[key]))}
    if isinstance(row, list) and row and draw(st.integers(0, 3)):
        return [draw(altered(row[0])), *row[1:]]
    return draw(JSON)


@pytest.mark.parametrize(
    ("name", "row"),
    [("jsonl", LISTED), ("nemo", NEMO), ("lhotse", CUT), ("recordings", RECORDING),
     ("supervisions", SAID)],
)  # fmt: skip
def test_any_values_of_a_listing_end_in_rows_or_a_message(name, row):
    format, files, changed = TARGETS[name]

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(altered(row))
    def holds(made):
        outcome(format, files, changed, json.dumps(made).encode() + b"\n")

    holds()


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"disk", "nemo gz"}))
def test_the_undamaged_listing_has_rows(name):
    """Else the tests above would never get past the first check."""
    format, files, changed = TARGETS[name]
    assert outcome(format, files, changed, files[changed])
