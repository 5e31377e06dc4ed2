"""The site is built strictly, is complete, loads nothing from elsewhere, and fits a phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from accessibility import examine
from browser import PHONE
from page_commands import REPOSITORY

pytest.importorskip("mkdocs")
DOCS = REPOSITORY / "docs"
# What the successor of Material for MkDocs supports too:
# https://zensical.org/docs/compatibility/mkdocs/plugins/
SUPPORTED_PLUGINS = {"search", "mkdocstrings"}
LOADED_BY = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Loaded(HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "preconnect", "icon"):
            self.found.append(given.get("href") or "")
        elif tag in LOADED_BY:
            self.found.append(given.get(LOADED_BY[tag]) or "")


def settings() -> dict[str, object]:
    """mkdocs.yml, without what only mkdocs can read."""
    return yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as ``hatch run docs-site`` builds it: any warning, as a dead link, is an error."""
    made = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--config-file", str(REPOSITORY / "mkdocs.yml")]
    done = subprocess.run(
        [sys.executable, *words, "--site-dir", str(made)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("index.html"))


def test_every_page_of_docs_is_on_the_site(site):
    written = {one.relative_to(DOCS).with_suffix("") for one in DOCS.rglob("*.md")}
    built = {one.parent.relative_to(site) for one in pages(site)}
    assert {Path() if one == Path("index") else one for one in written} == built
    assert len(built) > 30


def test_the_reference_has_what_the_package_offers(site):
    text = (site / "reference" / "python" / "index.html").read_text()
    for name in ("load", "train", "evaluate", "prepare"):
        assert f'id="mynah.{name}"' in text
    assert "UserError" in text and ":meth:" not in text and ":class:" not in text


def test_nothing_is_loaded_from_elsewhere(site):
    for page in [*pages(site), site / "404.html"]:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert loaded.found
        assert not [one for one in loaded.found if re.match(r"(https?:)?//", one)], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//", style.read_text()), style


def test_search_finds_a_setting(site):
    assert "lora_target_modules" in (site / "search" / "search_index.json").read_text()


def test_the_successor_can_build_it():
    found = settings()
    plugins = {one if isinstance(one, str) else next(iter(one)) for one in found["plugins"]}
    assert plugins <= SUPPORTED_PLUGINS
    assert found["theme"]["font"] is False
    assert "hooks" not in found and "custom_dir" not in found["theme"]
    for page in DOCS.rglob("*.md"):
        assert not re.search(r"\{%|\{\{(?!\s*\w+ \w+)", page.read_text()), f"{page}: a template"


def test_llms_txt_lists_every_page_by_its_place():
    text = (DOCS / "llms.txt").read_text()
    assert text.startswith("# Mynah\n\n> ")
    named = re.findall(r"^- \[[^]]+\]\(([^)]+)\)", text, re.MULTILINE)
    there = {one.relative_to(DOCS).as_posix() for one in DOCS.rglob("*.md")} - {"index.md"}
    assert sorted(named) == sorted(there)
    assert (REPOSITORY / "llms.txt").read_text() == text


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(site, tmp_path, scheme):
    shown = shutil.copytree(site, tmp_path / "site")
    if scheme == "dark":  # as a reader whose system is dark has it: the browser here is not
        for page in pages(shown):
            text = page.read_text().replace(": light)", ": none)")
            page.write_text(text.replace(": dark)", ": light)").replace(": none)", ": dark)"))
    found = examine(pages(shown), shown)
    assert len(found) > 30 and all(one.rules > 10 for one in found.values())
    assert {name: one.width for name, one in found.items() if one.width > PHONE} == {}
    assert {name: one.barriers for name, one in found.items() if one.barriers} == {}
