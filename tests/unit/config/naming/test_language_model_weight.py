"""The weight of n-grams where none is typed: a transducer's is lower, as it knows words itself."""

import pytest

from mynah.config.naming.language_model import weight_of
from mynah.config.schema import ModelConfig
from mynah.models.fusion.beam_weights import tune


@pytest.mark.parametrize(
    ("asked", "predicts_labels", "weight"),
    [(None, False, 0.7), (None, True, 0.2), (0.5, False, 0.5), (0.5, True, 0.5), (0.0, True, 0.0)],
)
def test_a_typed_weight_stays_and_a_transducers_default_is_lower(asked, predicts_labels, weight):
    assert weight_of(asked, predicts_labels=predicts_labels) == weight
    config = ModelConfig(language_model="domain.arpa", language_model_weight=asked)
    measured = tune(config, lambda settings: 0.5, predicts_labels=predicts_labels)
    assert measured[0].settings["language_model_weight"] == weight
