"""``mynah data ACTION``: which module runs which action."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.cli.shared.commands import Command, listed, run_command

ACTIONS = {
    "prepare": Command("mynah.cli.data.prepare", "decode, filter and count a corpus"),
    "inspect": Command("mynah.cli.data.inspect", "what is in a corpus, and what looks wrong"),
    "segment": Command("mynah.cli.data.segment", "cut long recordings into utterances"),
    "pack": Command("mynah.cli.data.pack", "write a corpus as tar shards with an index"),
    "download": Command("mynah.cli.data.download", "download a public corpus"),
    "augment": Command("mynah.cli.data.augment", "listen to and see what augmentation does"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one action; without one, or with ``--help``, list them.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if not arguments or arguments[0] in ("--help", "-h"):
        print(f"usage: mynah data ACTION ...\n\nactions:\n{listed(ACTIONS)}")
        print("\n`mynah data ACTION --help` tells more.")
        return 0
    return run_command(ACTIONS, arguments, "mynah data", "action")
