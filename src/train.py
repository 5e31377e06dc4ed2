"""Train as a legacy JSON file says; the same settings, checks and run as train_hydra.py.

python src/train.py configs/experiments/test_config.json
python src/train.py FILE.json --eval outputs/model      measure a checkpoint on its data
python src/train.py FILE.json training.max_steps=100    any setting on top
mynah migrate FILE.json                                 the experiment that means the same
"""

from __future__ import annotations

import sys

from mynah import neighbours
from mynah.stopping import signals

if __name__ == "__main__":
    signals.take_over()
    neighbours.watch()

    from mynah.cli.legacy import train_command

    sys.exit(train_command(sys.argv[1:]))
