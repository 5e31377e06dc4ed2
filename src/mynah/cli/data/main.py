"""``mynah data ACTION``: which module runs which action."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence

from mynah.cli.exit_status import exit_status
from mynah.errors import UserError

# action: (module with a function ``main(arguments) -> int``, help). A module is imported when
# its action is asked for.
ACTIONS: dict[str, tuple[str, str]] = {
    "prepare": ("mynah.cli.data.prepare", "decode, filter and count a corpus"),
    "inspect": ("mynah.cli.data.inspect", "what is in a corpus, and what looks wrong"),
    "segment": ("mynah.cli.data.segment", "cut long recordings into utterances"),
    "download": ("mynah.cli.data.download", "download a public corpus"),
    "augment": ("mynah.cli.data.augment", "hear and see what augmentation makes of it"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one action; without one, or with ``--help``, list them.

    Returns:
        The exit status (see ``mynah.cli.exit_status``).
    """
    action, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if action in ("--help", "-h"):
        _help()
        return 0
    if action not in ACTIONS:
        return exit_status(lambda: _unknown(action))
    module = importlib.import_module(ACTIONS[action][0])
    return int(module.main(rest))


def _help() -> None:
    print("usage: mynah data ACTION ...\n\nactions:")
    for name, (_module, text) in ACTIONS.items():
        print(f"  {name:<10} {text}")
    print("\n`mynah data ACTION --help` tells more.")


def _unknown(action: str) -> None:
    near = difflib.get_close_matches(action, ACTIONS, n=1)
    raise UserError(
        f"There is no action {action!r}; there are: {', '.join(ACTIONS)}.",
        where=f"mynah data {action}",
        fix=f"mynah data {near[0]}" if near else "mynah data --help",
    )
