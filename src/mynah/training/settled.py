"""How long is trained on one's own corpus, where nobody says it: by its hours.

A group cannot know the corpus: what suits the embedded one (1,400 steps) is null there, and is
decided here for any other. What is typed is never changed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mynah.config.derived import STEPS_OF_STREAM, is_pretrained
from mynah.console import say
from mynah.training.arguments import steps_total

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.positions import Epoch
FEWEST_STEPS = 300  # weights that are pretrained have adapted by then
FEWEST_STEPS_FROM_SCRATCH = 1400
MOST_STEPS = STEPS_OF_STREAM  # more is for who asks for it


def with_steps(config: Config, plan: Epoch, hours: float) -> Config:
    """The settings with a number of steps, where that is null: the epochs', within bounds.

    Args:
        config: The settings, with batch sizes.
        plan: The batches of an epoch.
        hours: Of audio in an epoch, for people.
    """
    if config.training.max_steps is not None:
        return config
    epochs = config.training.num_train_epochs
    wanted = steps_total(plan, config)
    least = FEWEST_STEPS if is_pretrained(config.model) else FEWEST_STEPS_FROM_SCRATCH
    steps = min(max(wanted, least), MOST_STEPS)
    say(
        f"Steps: {epochs:g} epochs of {hours:.2f} hours are {wanted:,}; {least:,} at least and "
        f"{MOST_STEPS:,} at most: {steps:,} (training.max_steps=N or training.num_train_epochs=N "
        "decide otherwise)"
    )
    return dataclasses.replace(
        config, training=dataclasses.replace(config.training, max_steps=steps)
    )
