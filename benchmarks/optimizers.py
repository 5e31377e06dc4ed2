"""What Muon learns in as many steps as AdamW: loss a token of the default model.

    python benchmarks/optimizers.py [--steps 300] [--seeds 3]

Trains the default model on the same batches with both, for each seed, and prints the mean
loss of the last tenth of the steps, the ratio to AdamW, and the median ratio. On two cores it
takes about a minute a training.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch

from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.data.batches import BatchPlan
from mynah.data.corpus import Corpus
from mynah.data.preparation.prepare import prepare
from mynah.machine import seed_everything
from mynah.models import registry
from mynah.models.family import Example
from mynah.training.optimizers import muon


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    config = compose(["model=fastconformer", "data=general"]).config
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    ratios = []
    for seed in range(arguments.seeds):
        adamw = final_loss(config, corpus, "adamw_torch", seed, arguments.steps)
        muons = final_loss(config, corpus, "muon", seed, arguments.steps)
        ratios.append(muons / adamw)
        print(f"seed {seed}: AdamW {adamw:.3f}, Muon {muons:.3f}, ratio {ratios[-1]:.3f}")
    print(f"median ratio of the losses, Muon to AdamW: {statistics.median(ratios):.3f}")


def final_loss(config: Config, corpus: Corpus, optimizer: str, seed: int, steps: int) -> float:
    """Mean loss a token over the last tenth of a training with a linear decay to zero."""
    seed_everything(seed)
    family = registry.build(
        config.model, texts=corpus.texts, sample_rate=corpus.sample_rate, offline=True
    )
    model = family.model.train()
    plan = BatchPlan(
        corpus.durations, seed=seed, batch_seconds=config.training.batch_seconds, batch_size=None
    )
    rate = config.training.learning_rate
    assert rate is not None
    betas = (config.training.adam_beta1, config.training.adam_beta2)
    made: torch.optim.Optimizer
    if optimizer == "muon":
        made = muon.build_muon(model, set(), lr=rate, weight_decay=0.0, betas=betas, eps=1e-8)
    else:
        made = torch.optim.AdamW(model.parameters(), lr=rate, betas=betas, weight_decay=0.0)
    losses = []
    for step in range(steps):
        epoch, index = divmod(step, plan.batches_per_epoch)
        examples = []
        for row, weight in plan.batch(epoch, index):
            labels = family.labels(corpus.texts[row])
            audio = corpus.read_audio(row)
            if family.impossible(len(audio), labels) is None:
                examples.append(Example(str(row), family.features(audio), labels, weight))
        loss = family.loss(model, family.collate(examples))
        mean = loss.total / loss.count
        mean.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.training.max_grad_norm)
        for group in made.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / (0.1 * steps)) * (1 - step / steps)
        made.step()
        made.zero_grad()
        losses.append(float(mean.detach()))
    return statistics.mean(losses[-max(1, steps // 10) :])


if __name__ == "__main__":
    main()
