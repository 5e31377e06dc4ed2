"""Mynah turns recordings and transcripts into a speech recognizer one can trust.

    import mynah

    run = mynah.train(["+experiments=test"])
    recognizer = mynah.load(run.model)
    print(recognizer.transcribe("call.wav").text)

What the command line does, these functions do. Nothing heavy is imported before one is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.machine import __version__

if TYPE_CHECKING:
    from mynah.inference.recognizer import Recognizer

__all__ = ["__version__", "load"]


def load(
    model: str | Path,
    *,
    settings: Sequence[str] = (),
    revision: str | None = None,
    offline: bool = False,
    device: str | None = None,
    aligner: str | Path | None = None,
) -> Recognizer:
    """A recognizer that decodes as its error rate was measured.

    Args:
        model: A checkpoint or a run of Mynah, adapters among them; a folder of transformers; or
            a name of the Hugging Face hub.
        settings: Settings of decoding as ``mynah eval`` takes them, as
            ``model.language_model=none`` or ``model.language=de``.
        revision: Branch, tag or commit of a hub model.
        offline: Load nothing that is not on this machine.
        device: As torch names it, ``cpu`` or ``cuda:0``; None: an accelerator where there is one.
        aligner: A CTC model that times the words of a model that does not, named likewise.

    Raises:
        UserError: There is no such model, it is damaged, what it builds on is gone, or a setting
            does not fit it.
    """
    from mynah.inference.load import load

    return load(
        model,
        settings=settings,
        revision=revision,
        offline=offline,
        device=device,
        aligner=aligner,
    )
