"""What to do about a value in a file that does not suit its setting."""

from __future__ import annotations

from mynah.config.settings import Setting, describe_values, without_none
from mynah.config.values import ValueMistake


def way_out(mistake: ValueMistake, setting: Setting, key: str, written: str) -> str:
    """A default that nothing written is near to is not proposed.

    Args:
        mistake: What is wrong.
        setting: The setting.
        key: Its key, as the file has it.
        written: Key and value as the file would have them with ``mistake.instead``.
    """
    leave = f"leave {key} out"
    if mistake.instead is None:
        return leave if setting.record is None else f"correct {key}"
    one_value = without_none(setting.type) in (bool, int, float, str) and not setting.choices
    if mistake.is_default and one_value:
        return f"{leave}, or write {describe_values(setting)}"
    return f"write {written}"
