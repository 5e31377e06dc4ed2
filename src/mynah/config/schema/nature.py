"""What a setting is, for all that treats settings by what they are and not by name.

A setting's line in the schema says it; ``mynah.config.settings.names`` asks. So a new setting is
known at once to resuming, to evaluations, to streams and to whatever makes paths absolute.
"""

from __future__ import annotations

from enum import Flag, auto


class Nature(Flag):
    """What a setting decides, one or more of the first part, and what else is true of it."""

    # What it decides
    STEP = auto()
    """What a training step does, or which checkpoint is the best: a resumed training must agree."""
    ROWS = auto()
    """Which training rows there are and what is in them: the data's fingerprint tells."""
    MEASURED = auto()
    """What is measured, and how it is scored."""
    WHEN = auto()
    """When is measured: a learning rate that follows the scores follows it too."""
    DECODING = auto()
    """How audio becomes text: a checkpoint may be measured with another value than its own."""
    LENGTH = auto()
    """How long is trained."""
    GUARD = auto()
    """Whether a run continues where data or a loss are not as they should be."""
    RUN = auto()
    """How it runs, as devices, processes, logs and saves: nothing that is learned or measured."""
    IDLE = auto()
    """Nothing: only its default is taken, or no value has an effect."""

    # What else it is
    PATH = auto()
    """A file or folders, relative to where the command is typed."""
    NAME = auto()
    """A name on the hub, or a folder where there is one of that name."""
    CORPUS = auto()
    """A part of what names a corpus and describes it: taken together, never from two layers."""
    CHOOSES = auto()
    """Chooses among the rows of prepared tables."""
    TABLE = auto()
    """Looks at all rows before training, and a stream has none then."""
    LORA = auto()
    """How LoRA adapts: without pretrained weights that it adapts it has no effect."""


DECIDES = (
    Nature.STEP | Nature.ROWS | Nature.MEASURED | Nature.WHEN | Nature.DECODING | Nature.LENGTH
    | Nature.GUARD | Nature.RUN | Nature.IDLE
)  # fmt: skip
"""Each setting is one or more of these."""
