"""A corpus format, an augmentation and a recipe that other distributions add, and broken ones.

The examples are those of docs/plugins.md.
"""

from __future__ import annotations

import http.server
import io
import json
import re
import tarfile
import threading
from functools import partial

import numpy as np
import plugin_packages
import pytest
import soundfile
from tiers import fast_where
from workspaces import REPOSITORY, SMALL, assert_refused, assert_trained, clone, run

PAGE = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
TRN = {"mynah.sources": {"trn": "trn:TrnSource"}}
TREMOLO = {"mynah.augmentations": {"tremolo": "tremolo:Tremolo"}}
RATE = 16000


def example(module: str) -> str:
    (found,) = re.findall(rf"```python\n(# {module}\.py\n.*?)```", PAGE, flags=re.DOTALL)
    return found


def installed(folder, module, entry_points, source=None, **about):
    """The environment in which an example of the page is installed."""
    source = example(module) if source is None else source
    made = plugin_packages.install(folder / "site", module, source, entry_points, **about)
    return {"PYTHONPATH": f"{made['PYTHONPATH']}:{folder / 'src'}"}


def trn_corpus(root, encoding="utf-8"):
    """Sixteen utterances to train on and four to measure on, of noise, named after no format."""
    root.mkdir()
    generator = np.random.default_rng(0)
    for split, count in (("train", 16), ("validation", 4)):
        lines = []
        for number in range(count):
            name = f"{split}-{number}"
            audio = 0.1 * generator.standard_normal(RATE * 2)
            soundfile.write(root / f"{name}.wav", audio, RATE)
            lines.append(f"café nine {'one two'[: 3 + number % 5].strip()} ({name})\n")
        (root / f"{split}.trn").write_text("".join(lines), encoding=encoding)
    return root


@pytest.fixture
def folder(tmp_path):
    return clone(tmp_path)


def test_a_format_from_outside_is_recognized_prepared_and_trained_on(folder):
    trn_corpus(folder / "mine", encoding="latin-1")
    path = installed(folder, "trn", TRN)
    options = "data.options.encoding=latin-1"
    prepared = run(folder, f"mynah data prepare mine {options}", **path)
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    assert "16" in prepared.stdout
    done = run(folder, f"mynah train data.path=mine {options} {SMALL}", **path)
    settings = {"data.format": "auto", "data.options": {"encoding": "latin-1"}}
    directory = assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    listed = (directory / "evaluation" / "utterances.jsonl").read_text(encoding="utf-8")
    assert {"validation-0", "validation-3"} <= {json.loads(x)["id"] for x in listed.splitlines()}
    assert all("café" in json.loads(line)["reference"] for line in listed.splitlines())


@pytest.mark.parametrize(
    ("typed", "said"),
    fast_where(
        lambda typed, _: typed.startswith("data.options"),
        [
            (
                "data.format=trn data.options.encodin=latin-1",
                ("Nearest: data.options.encoding", "data.options.encoding=latin-1"),
            ),
            ("data.options.encodin=latin-1", ("Nearest: data.options.encoding",)),
            (
                "data.format=trn data.options.audio_suffix=.mp3",
                ("data.options.audio_suffix takes one of .wav, .flac",),
            ),
            ("data.format=folder data.options.encoding=utf-8", ("folder has no options",)),
            ("data.format=tnr", ("data.format=trn",)),
        ],
    ),
)
def test_options_of_a_format_from_outside_are_checked_as_settings_are(folder, typed, said):
    trn_corpus(folder / "mine")
    done = run(folder, f"mynah train data.path=mine {typed}", **installed(folder, "trn", TRN))
    assert_refused(done, *said)


def test_the_name_of_a_format_from_outside_is_known_without_importing_it(folder):
    path = installed(folder, "trn", TRN, "raise RuntimeError('imported')")
    shown = run(folder, "mynah train data.format=trn --cfg job", **path)
    assert shown.returncode == 0, shown.stderr
    assert "format: trn" in shown.stdout


@pytest.mark.parametrize(
    ("source", "said"),
    fast_where(
        lambda _, said: said == "a_package_that_is_not_there" or said.startswith("lacks"),
        [
            ("import a_package_that_is_not_there", "a_package_that_is_not_there"),
            (
                "class TrnSource:\n    format = 'trn'",
                "lacks recognizes, open, splits, parts, table",
            ),
            (
                f"{example('trn')}\nTrnSource.open = classmethod(lambda *_: 1 / 0)",
                "fails: ZeroDivisionError",
            ),
            (
                f"{example('trn')}\nTrnSource.parts = lambda *_: 1 / 0",
                "fails: ZeroDivisionError",
            ),
            (f"{example('trn')}\nTrnSource.Options = int", "has Options that are not a dataclass"),
        ],
    ),
)
def test_a_broken_format_that_is_asked_for_is_named_with_its_package(folder, source, said):
    trn_corpus(folder / "mine")
    path = installed(folder, "trn", TRN, source, version="0.3")
    done = run(folder, "mynah train data.path=mine data.format=trn", **path)
    assert_refused(done, "trn 0.3", "mynah.sources", "uninstall trn", said)


def test_a_broken_format_that_is_not_asked_for_costs_nobody_else(folder):
    (folder / "mine").mkdir()
    lines, noise = ["file_name,text"], np.random.default_rng(0)
    for number in range(40):
        soundfile.write(folder / "mine" / f"{number}.wav", noise.uniform(-0.1, 0.1, RATE), RATE)
        lines.append(f"{number}.wav,hello {number}")
    (folder / "mine" / "metadata.csv").write_text("\n".join(lines))
    path = installed(folder, "trn", TRN, "import a_package_that_is_not_there")
    done = run(folder, "mynah data prepare mine data.eval_splits=null", **path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a_package_that_is_not_there" in " ".join((done.stdout + done.stderr).split())


def test_a_format_with_the_name_of_one_of_mynahs_own_is_not_used_and_that_is_said(folder):
    path = installed(folder, "trn", {"mynah.sources": {"kaldi": "trn:TrnSource"}})
    trn_corpus(folder / "mine")
    done = run(folder, "mynah data prepare mine data.format=kaldi", **path)
    said = " ".join((done.stdout + done.stderr).split())
    assert "corpus format kaldi of trn 1.0 is not used: Mynah has one of this name" in said
    assert "There is no Kaldi data directory here" in said


def test_an_augmentation_from_outside_is_shown_and_trained_with(folder):
    path = installed(folder, "tremolo", TREMOLO)
    on = "data.augmentation.options.tremolo.probability=1"
    shown = run(
        folder, f"mynah data augment {on} data.synthesis.train_sentences=24 --to preview", **path
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    reported = json.loads((folder / "preview" / "drawn.json").read_text())["utterances"]
    assert all(2 <= one["drawn"]["tremolo"] <= 8 for one in reported)
    before, after = (
        soundfile.read(folder / "preview" / reported[0][x])[0] for x in ("before", "after")
    )
    # The page's formula by hand: 1 at the troughs of the sine, 0.7 at its peaks.
    time = np.arange(len(before)) / RATE
    factor = 1 - 0.15 * (1 + np.sin(2 * np.pi * reported[0]["drawn"]["tremolo"] * time))
    np.testing.assert_allclose(after, before * factor, atol=1e-4)
    done = run(folder, f"mynah train {on} {SMALL}", **path)
    settings = {"data.augmentation.options": {"tremolo": {"probability": 1}}}
    assert_trained(folder, done, utterances={"validation": 4}, settings=settings)
    refused = run(
        folder,
        f"mynah train {SMALL} {on.replace('=1', '=0.5')} training.max_steps=4 "
        "resume_from_checkpoint=outputs/model/checkpoint-2",
        **path,
    )
    assert refused.returncode == 2 and "data.augmentation.options" in refused.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("data.augmentation.options.tremolo.dept=1", "Nearest: data.augmentation.options.tremolo"),
        ("data.augmentation.options.tremolo.depth=2", "is from 0 to 1, not 2"),
        ("data.augmentation.options.tremlo.depth=1", "Nearest: tremolo"),
        ("data.augmentation.options.gain.depth=1", "gain is one of Mynah's own"),
    ],
)
def test_options_of_an_augmentation_are_checked_as_settings_are(folder, typed, said):
    assert_refused(
        run(folder, f"mynah train {typed}", **installed(folder, "tremolo", TREMOLO)), said
    )


@pytest.mark.parametrize(
    ("added", "said"),
    fast_where(
        lambda _, said: said == "makes float32",
        [
            ("import a_package_that_is_not_there", "a_package_that_is_not_there"),
            ("Tremolo.draw = lambda *_: 1 / 0", "fails: ZeroDivisionError"),
            ("Tremolo.apply = lambda _, audio, sampled: audio[1:]", "makes float32"),
            ("Tremolo.keeps_length = False", "changes how long audio is"),
        ],
    ),
)
def test_a_broken_augmentation_is_named_with_its_package(folder, added, said):
    source = f"{example('tremolo')}\n{added}\n"
    path = installed(folder, "tremolo", TREMOLO, source, version="0.4")
    on = "data.augmentation.options.tremolo.probability=1"
    done = run(folder, f"mynah train {on} {SMALL}", **path)
    assert_refused(done, "tremolo 0.4", said)


@pytest.fixture
def archive(tmp_path):
    """The address of a server on loopback that has digits.tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        info = tarfile.TarInfo("digits/README")
        info.size = 5
        made.addfile(info, io.BytesIO(b"hello"))
    served = tmp_path / "served"
    served.mkdir()
    (served / "digits.tar.gz").write_bytes(packed.getvalue())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


DIGITS = {"mynah.recipes": {"digits": "digits:RECIPE"}}


def test_a_recipe_from_outside_downloads_its_corpus(folder, archive):
    source = example("digits").replace(
        "https://example.org/digits.tar.gz", f"{archive}/digits.tar.gz"
    )
    path = installed(folder, "digits", DIGITS, source)
    done = run(folder, "mynah data download digits --to corpora", **path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "corpora" / "digits" / "README").read_text() == "hello"
    assert "Next: mynah train data.path=corpora/digits" in done.stdout
    listed = run(folder, "mynah data download --list", **path)
    assert "digits" in listed.stdout and "librispeech" in listed.stdout


def test_a_broken_recipe_is_named_with_its_package_and_the_others_are_listed(folder):
    path = installed(folder, "digits", DIGITS, "RECIPE = 'digits'", version="0.5")
    done = run(folder, "mynah data download digits --to corpora", **path)
    assert_refused(done, "digits 0.5", "is a str", "mynah.recipes", "uninstall digits")
    listed = run(folder, "mynah data download --list", **path)
    assert listed.returncode == 0 and "librispeech" in listed.stdout
    assert "digits 0.5" in " ".join((listed.stdout + listed.stderr).split())
