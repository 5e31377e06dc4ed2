"""What the tests of mynah.models share."""

import torch
from tiny_models import TEXTS, doubled, examples, gradients, tiny, train

__all__ = ["TEXTS", "doubled", "examples", "gradients", "tiny", "train"]

torch.set_num_threads(1)
