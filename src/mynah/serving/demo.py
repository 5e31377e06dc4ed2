"""``mynah demo``: a page that transcribes what a person says, and keeps what is corrected."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio

from mynah import console
from mynah.data.audio import files
from mynah.errors import UserError
from mynah.inference.recognizer import Recognizer
from mynah.inference.transcription import Transcription
from mynah.recording.voice_folder import Kept, VoiceFolder
from mynah.serving.coloured import coloured, mean_confidence

KEPT_RATE = 16000
_MOST_FILE = "100mb"
_UNTIL_DELETED_SECONDS = 3600


@dataclass(frozen=True)
class DemoOptions:
    """Where a page is shown, and what is kept.

    Attributes:
        keep: The folder of corrected recordings.
        host: The address that is listened at.
        port: The port; 0: any that is free.
        speaker: Of what is kept.
    """

    keep: Path
    host: str = "127.0.0.1"
    port: int = 7860
    speaker: str = ""


class Corrections:
    """Recordings with the text that a person has corrected; each recording once.

    Args:
        folder: What they are kept in.
        speaker: Who speaks in them.
    """

    def __init__(self, folder: VoiceFolder, speaker: str) -> None:
        self._folder = folder
        self._speaker = speaker
        self._kept: dict[str, Kept] = {}

    def keep(self, recording: str | None, text: str) -> str:
        """Keep a recording.

        Args:
            recording: Its file.
            text: What is said in it.

        Returns:
            What was done, for whoever asked.
        """
        if recording is None:
            return "Record something first."
        if not text.strip():
            return "Write what is said in it first."
        try:
            content = Path(recording).read_bytes()
            audio = files.read(content, KEPT_RATE)
            key = hashlib.sha256(content).hexdigest()
            before = self._kept.get(key)
            kept = self._folder.add(audio, KEPT_RATE, text, self._speaker, replaces=before)
        except (ValueError, OSError, UserError) as problem:
            return _escaped(f"It cannot be kept: {problem}")
        self._kept[key] = kept
        return f"Kept as {kept.file_name}: {len(self._folder.rows)} recordings to train on."


def make_page(recognizers: Sequence[Recognizer], corrections: Corrections) -> gradio.Blocks:
    """The page: a recording, and a column for each model.

    Args:
        recognizers: The models, one or two.
        corrections: What keeps the corrected texts.
    """
    page = gradio.Blocks(
        title="Mynah",
        analytics_enabled=False,
        delete_cache=(_UNTIL_DELETED_SECONDS, _UNTIL_DELETED_SECONDS),
    )
    with page:
        recording = gradio.Audio(
            sources=["microphone", "upload"],
            type="filepath",
            label="Recording",
            buttons=["download"],
            elem_id="recording",
        )
        asked = gradio.Button("Transcribe", variant="primary", elem_id="transcribe")
        status = gradio.Markdown(elem_id="status")
        shown: list[gradio.HTML | gradio.Textbox] = []
        with gradio.Row():
            for number, recognizer in enumerate(recognizers):
                shown += _column(recognizer, number, recording, status, corrections)
        asked.click(
            _transcribing(recognizers),
            [recording],
            [status, *shown],
            api_visibility="private",
        )
    return page


def _column(
    recognizer: Recognizer,
    number: int,
    recording: gradio.Audio,
    status: gradio.Markdown,
    corrections: Corrections,
) -> list[gradio.HTML | gradio.Textbox]:
    with gradio.Column():
        gradio.Markdown(f"### {_escaped(recognizer.name)}")
        words = gradio.HTML(elem_id=f"words-{number}")
        text = gradio.Textbox(
            label="What is said, to be corrected", lines=4, elem_id=f"text-{number}"
        )
        keep = gradio.Button("Keep as training data", elem_id=f"keep-{number}")
        keep.click(corrections.keep, [recording, text], [status], api_visibility="private")
    return [words, text]


def _transcribing(recognizers: Sequence[Recognizer]) -> Callable[[str | None], list[str]]:
    def transcribe(recording: str | None) -> list[str]:
        if recording is None:
            return ["Record something, or drop a file.", *["", ""] * len(recognizers)]
        content = Path(recording).read_bytes()
        found: list[str] = []
        notes: list[str] = []
        for recognizer in recognizers:
            try:
                one = recognizer.transcribe(content, words=True)
            except UserError as problem:
                return [f"{_escaped(problem.what)}", *["", ""] * len(recognizers)]
            found += [coloured(one), one.text]
            notes.append(_note(one))
        return [" / ".join(notes), *found]

    return transcribe


def _note(transcription: Transcription) -> str:
    mean = mean_confidence(transcription.words or ())
    sure = "" if mean is None else f", {100 * mean:.0f} % sure"
    return f"{transcription.duration_seconds:.1f} s{sure}"


def _escaped(text: str) -> str:
    """A text without what Markdown reads as signs."""
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>()#+!|~" else one for one in text)


def show(recognizers: Sequence[Recognizer], options: DemoOptions) -> None:
    """Show the page until a signal ends it.

    Raises:
        UserError: The folder holds a list of another kind, or the port is taken.
        Interrupted: A signal came.
    """
    corrections = Corrections(VoiceFolder(options.keep), options.speaker)
    with tempfile.TemporaryDirectory(prefix="mynah-demo-") as held:
        os.environ["GRADIO_TEMP_DIR"] = held  # what is recorded and not kept goes with the page
        page = make_page(recognizers, corrections)
        page.queue(default_concurrency_limit=1)
        try:
            _, address, _ = page.launch(
                server_name=options.host,
                server_port=options.port or None,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=_MOST_FILE,
                footer_links=[],
                run_history=False,
                ssr_mode=False,
                enable_monitoring=False,
            )
        except OSError:
            raise UserError(
                f"Port {options.port} is taken by another program.",
                where=f"--port {options.port}",
                fix=f"--port {options.port + 1}",
            ) from None
        try:
            console.say(f"Page: {address}")
            console.say(f"What is kept: {options.keep}   end it with Ctrl-C")
            threading.Event().wait()
        finally:
            page.close(verbose=False)
