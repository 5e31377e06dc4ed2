"""Files of a model, changed."""

from __future__ import annotations

import json


def edit(folder, name="config.json", **changes):
    """Change keys of a JSON file; None takes one out."""
    file = folder / name
    written = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in written.items() if v is not None}))
    return folder
