"""The pages that Mynah writes are accessible and fit a phone, in light and in dark."""

from __future__ import annotations

import re

import pytest
from accessibility import examine
from browser import PHONE, program
from workspaces import SHORT

# Each writes one page or more, in a folder with a trained model of its own.
COMMANDS = (
    f"mynah train model=small data.dataset_name=./calls {SHORT} model.encoder.layers=1",
    "mynah eval outputs/model data.dataset_name=./calls",
    "mynah compare {runs} --split validation --to compared.html",
    "mynah runs --page runs.html",
    "mynah data inspect calls/ --to inspected.html",
    "mynah data inspect recordings/ --with outputs/model --to read_along.html",
    "mynah data augment recordings data.augmentation.noise_snr_db=[5,30] --to preview",
    f"mynah train -m model=small data.dataset_name=./calls {SHORT} model.encoder.layers=1 "
    "training.learning_rate=1e-3,2e-3",
)


@pytest.fixture(scope="module")
def written(workplace):
    """A folder, and its pages of each kind."""
    program()
    folder = workplace.folder("default")
    for command in COMMANDS:
        evaluated = sorted(folder.glob("outputs/*/*/evaluation"))
        runs = " ".join(str(one.parent.relative_to(folder)) for one in evaluated[-2:])
        ended = workplace.run(folder, command.format(runs=runs).split())
        assert ended.returncode == 0, ended.output
    links = {one.resolve() for one in (folder / "outputs").rglob("*.html")}  # outputs/model is one
    pages = [*links, *folder.glob("*.html"), *folder.glob("preview/*.html")]
    pages = sorted(one for one in pages if one.is_relative_to(folder))
    for page in pages:  # which let no script run but their own; axe is another
        page.write_text(re.sub(r"<meta[^>]*Content-Security-Policy[^>]*>", "", page.read_text()))
    return folder, pages


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(written, scheme):
    folder, pages = written
    found = examine(pages, folder, dark=scheme == "dark")
    names = {name.rpartition("/")[2] for name in found}
    assert {"report.html", "compared.html", "runs.html", "inspected.html", "index.html"} <= names
    assert all(one.rules > 10 for one in found.values())
    assert {name: one.width for name, one in found.items() if one.width > PHONE} == {}
    assert {name: one.barriers for name, one in found.items() if one.barriers} == {}
