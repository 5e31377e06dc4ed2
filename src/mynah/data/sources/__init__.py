"""One file a corpus format; a new one is one new file and one line in :data:`FORMATS`."""

from __future__ import annotations

import importlib

from mynah.config.schema import DataConfig
from mynah.data.sources.base import Place, Source

# format: (module, class); imported when it is asked for
FORMATS = {
    "synthetic": ("mynah.data.sources.synthetic", "SyntheticSource"),
}


def open_source(config: DataConfig, place: Place) -> Source:
    """The corpus that ``data`` names, in the format it is in.

    Raises:
        UserError: It is not there, or in no known format.
    """
    module, name = FORMATS["synthetic"]
    source: type[Source] = getattr(importlib.import_module(module), name)
    return source.open(config, place)
