"""The files around the package: each follows its format, and they agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main
from click.testing import CliRunner

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
SCHEMAS = {
    "CITATION.cff": "vendor.citation-file-format",
    ".github/dependabot.yml": "vendor.dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/wish.yml": "vendor.github-issue-forms",
    **{
        f".github/workflows/{one.name}": "vendor.github-workflows"
        for one in sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
    },
}
WRITTEN = [
    *REPOSITORY.glob("*.md"), *REPOSITORY.glob("*.cff"), *REPOSITORY.glob("*.yml"),
    *REPOSITORY.glob(".github/**/*.yml"), *REPOSITORY.glob("docs/**/*.md"),
    REPOSITORY / "Dockerfile",
]  # fmt: skip


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items())
def test_a_file_follows_its_published_schema(file, schema):
    done = CliRunner().invoke(main, ["--builtin-schema", schema, str(REPOSITORY / file)])
    assert done.exit_code == 0, done.output


def test_addresses_of_the_project_are_those_of_its_metadata():
    home, site = PROJECT["urls"]["Homepage"], PROJECT["urls"]["Documentation"]
    owner = home.rsplit("/", 2)[1]
    for file in WRITTEN:
        text = file.read_text(encoding="utf-8")
        for found in re.findall(rf"https://(?:github\.com/{owner}|{owner}\.)[\w./-]*", text):
            assert found.startswith((home, site)), f"{file.name}: {found}"


def test_the_citation_names_what_the_package_does():
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert cited["license"] == PROJECT["license"]
    assert [one["name"] for one in cited["authors"]] == [one["name"] for one in PROJECT["authors"]]
    assert cited["repository-code"] == PROJECT["urls"]["Source"]


def test_files_that_the_security_page_and_the_agents_page_name_are_there():
    for page in ("SECURITY.md", "AGENTS.md"):
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        named = re.findall(r"\b(?:src|tests|docs|examples)/[\w/.]*\w", text)
        assert named
        for one in named:
            assert (REPOSITORY / one).exists(), f"{page}: {one}"
