"""Where the pages' commands run: their corpora, a hub without a network, trained models."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hub_server
import page_corpora
import pytest
from buckets import Bucket, bucket
from forked_commands import Commands, Ended

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

from workspaces import BASE, SHORT, clone, environment

# The trained models that commands start from, each with the command that makes it.
TRAINED = {
    "default": f"mynah train {BASE} model.generation_max_length=16",
    "calls": f"mynah train model=small data.dataset_name=./calls {SHORT} model.encoder.layers=1",
    "adapted": "mynah train model.pretrained=openai/whisper-small model.language=en "
    f"model.use_lora=true data.dataset_name=./recordings {SHORT} model.generation_max_length=16",
    "speech LLM": "mynah train model.encoder_model_name=openai/whisper-small "
    "model.decoder_model_name=HuggingFaceTB/SmolLM2-360M-Instruct model.use_lora=true "
    f"data.dataset_name=./recordings {SHORT} model.generation_max_length=16",
}


class Workplace:
    """Gives each command a folder that holds the pages' corpora and, where asked, a model."""

    def __init__(self, root: Path, commands: Commands, hub: str, ends: ExitStack) -> None:
        self._hub = hub
        self._ends = ends
        self._bucket: Bucket | None = None
        self._root = root
        self._corpora = page_corpora.lay_out(root / "corpora")
        self._commands = commands
        self._models: dict[str, Path] = {}
        self._folders = 0

    def folder(self, model: str | None = None, **renamed: str) -> Path:
        """A new folder.

        Args:
            model: Which of ``TRAINED`` is its ``outputs/model``.
            renamed: Corpora that lie there under another's name.
        """
        self._folders += 1
        made = clone(self._root / f"folder {self._folders}")
        (made / "benchmarks").symlink_to(Path(__file__).resolve().parents[2] / "benchmarks")
        for corpus in self._corpora.iterdir():
            (made / corpus.name).symlink_to(self._corpora / renamed.get(corpus.name, corpus.name))
        if model is not None:
            shutil.copytree(self._trained(model) / "outputs", made / "outputs", symlinks=True)
            link = made / "outputs" / "model"
            run = link.readlink()
            link.unlink()
            link.symlink_to(
                made / run.relative_to(self._trained(model)) if run.is_absolute() else run
            )
        return made

    def run(self, folder: Path, words: list[str], **more: str) -> Ended:
        """Run a command in a folder of these; one that downloads asks a hub on loopback."""
        if words[:2] == ["mynah", "prefetch"]:
            cache = str(folder / "fetched" / "hub")
            more |= {
                "HF_HUB_OFFLINE": "0",
                "HF_HUB_DISABLE_XET": "1",
                "HF_ENDPOINT": self._hub,
                "HF_HUB_CACHE": cache,
            }
        if (folder / "site").is_dir():
            path = [str(folder / "site"), str(folder / "src")]
            more |= {"PYTHONPATH": os.pathsep.join(path)}
        return self._commands.run(folder, words, **more)

    def bucket(self) -> dict[str, str]:
        """The environment in which s3://speech has corpora, ``models/calls``, and no runs."""
        if self._bucket is None:
            self._bucket = self._ends.enter_context(bucket())
            for corpus in ("calls", "corpus"):
                self._bucket.upload(self._corpora / corpus, corpus)
            model = self._trained("calls") / "outputs" / "model"
            self._bucket.upload(model.resolve(), "models/calls")
        for run in self._bucket.names("runs/"):
            self._bucket.delete(run)
        return self._bucket.environment

    def _trained(self, name: str) -> Path:
        if name not in self._models:
            folder = self.folder()
            ended = self.run(folder, TRAINED[name].split())
            assert ended.returncode == 0, ended.output
            model = folder / "outputs" / "model"
            shutil.copytree(model / "checkpoint-2", model.resolve() / "checkpoint-1000")
            self._models[name] = folder
        return self._models[name]


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """One for all pages."""
    root = tmp_path_factory.mktemp("pages")
    page_corpora.install_models(root / "hub" / "hub")
    offline = {"HF_HOME": str(root / "hub"), "HF_HUB_CACHE": str(root / "hub" / "hub")}
    offline |= {"HF_HUB_OFFLINE": "1", "MYNAH_CACHE": str(root / "prepared")}
    commands = Commands(environment(**offline))
    with hub_server.serving(root / "hub" / "hub") as hub, ExitStack() as ends:
        yield Workplace(root, commands, hub.address, ends)
