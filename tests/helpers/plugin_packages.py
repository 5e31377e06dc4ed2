"""Distributions made for one test: a module and its metadata in a folder on PYTHONPATH."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path


def install(
    folder: Path,
    module: str,
    source: str,
    entry_points: Mapping[str, Mapping[str, str]],
    *,
    version: str = "1.0",
) -> dict[str, str]:
    """Write an installed distribution.

    Args:
        folder: Where it lies; made where it is not there.
        module: The name of its one module, which the distribution is called after.
        source: The module's text.
        entry_points: By group, as ``{"mynah.sources": {"trn": "my_module:TrnSource"}}``.
        version: Of the distribution.

    Returns:
        The environment in which a process finds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    about = folder / f"{module}-{version}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = []
    for group, named in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in named.items()), ""]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *([inherited] if inherited else [])])}


def install_page(folder: Path, page: str) -> dict[str, str]:
    """Install the augmentation and the metric that docs/plugins.md shows, as it shows them.

    Returns:
        The environment in which a process finds them.
    """
    found = dict(re.findall(r"```python\n(?=# (\w+)\.py\n)(.*?)```", page, flags=re.DOTALL))
    install(
        folder, "tremolo", found["tremolo"], {"mynah.augmentations": {"tremolo": "tremolo:Tremolo"}}
    )
    metric = {"mynah.metrics": {"vowels": "vowels:VowelsRecognized"}}
    return install(folder, "vowels", found["vowels"], metric)
