"""Which modules LoRA adapts in each part of a speech LLM, by the targets that are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mynah.config.tuning import Tuning, target_of
from mynah.errors import UserError
from mynah.models.lora import adapters


def shared_out(
    targets: Sequence[str] | None, candidates: Mapping[str, Sequence[str]], learns: Tuning
) -> dict[str, list[str] | None]:
    """Paths that LoRA adapts in each part; None: what suits it.

    A target may begin with the part it is meant in, ``encoder.`` or ``decoder.``; another is
    meant in every part that is adapted, and names something in one of them at least. A part that
    no target is meant in gets what suits it.

    Args:
        targets: ``lora_target_modules``.
        candidates: Paths of the linear layers of each part that is adapted.
        learns: How each part learns.

    Raises:
        UserError: A target names nothing, or a part is left without any.
    """
    if targets is None or list(targets) == [adapters.AUTO_TARGETS]:
        return dict.fromkeys(candidates)
    found: dict[str, list[str]] = {part: [] for part in candidates}
    for target in targets:
        part_name, path = target_of(target)
        meant = [part for part in candidates if part_name in (None, part)]
        if not meant:
            raise UserError(
                f"{target} is to be adapted, and the {part_name} is not: it is "
                f"{getattr(learns, str(part_name))}.",
                where="model.lora_target_modules",
                fix=f"model.{part_name}_tuning=lora",
            )
        everything = [one for part in meant for one in candidates[part]]
        named = set(adapters.matching([path], everything))
        for part in meant:
            found[part] += [one for one in candidates[part] if one in named]
    everywhere = [target for target in targets if target_of(target)[0] is None]
    for part, paths in found.items():
        if not paths and everywhere:
            raise UserError(
                f"LoRA has nothing to adapt in the {part}: {', '.join(everywhere)} names no "
                "module of it.",
                where="model.lora_target_modules",
                fix=f"add {part}.all-linear, or set model.{part}_tuning=frozen",
            )
    return {part: list(dict.fromkeys(paths)) or None for part, paths in found.items()}
