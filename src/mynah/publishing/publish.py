"""``mynah publish MODEL NAME``: what goes where is shown before it goes, and asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah import console
from mynah.checkpoints.commit import megabytes, verify
from mynah.checkpoints.find import resolve_checkpoint
from mynah.checkpoints.publishing import README, why_private
from mynah.errors import UserError
from mynah.files import display_path, sha256
from mynah.publishing.card import make_card, shown_results
from mynah.publishing.origin import ModelOrigin, read_origin
from mynah.publishing.plan import Plan, make_plan
from mynah.publishing.repository import Repository, check_repository_name

_COMMAND = "mynah publish"


@dataclass(frozen=True)
class PublishingRequest:
    """What is to be published.

    Attributes:
        model: A checkpoint or a run's directory.
        name: ``owner/name``.
        licence: The hub's identifier of what the owner chose; None: the card says that none is.
        results: Directories of runs that measured it; none: its own run.
        public: Whether everybody may see it.
        yes: Whether nobody is asked.
        dry_run: Whether it is only shown; the hub is not asked anything.
    """

    model: str
    name: str
    licence: str | None = None
    results: Sequence[Path] = ()
    public: bool = False
    yes: bool = False
    dry_run: bool = False


def publish(request: PublishingRequest) -> None:
    """Publish a checkpoint as a repository of the Hugging Face hub.

    Raises:
        UserError: It is damaged, holds what is private, may not go there, or nobody agreed.
    """
    check_repository_name(request.name)
    checkpoint = resolve_checkpoint(request.model, Path.cwd(), setting=_COMMAND)
    verify(checkpoint)
    plan = make_plan(checkpoint)
    origin = read_origin(checkpoint, Path.cwd(), request.results)
    card = make_card(origin, request.name, request.licence)
    if request.dry_run:
        _show(plan, origin, request, str(card), address=request.name, is_new=True)
        console.say("Nothing was sent.")
        return
    repository = Repository(request.name)
    is_private = repository.is_private()
    if is_private is False and not request.public:
        raise UserError(
            f"{request.name} is there already, and public: everybody would see the model.",
            where=repository.address,
            fix="--public  agrees; or name another repository",
        )
    sums = {name: sha256(checkpoint / name) for name in plan.files}
    _show(
        plan,
        origin,
        request,
        str(card),
        address=repository.address,
        is_new=is_private is None,
    )
    _ask(request)
    if any(sha256(checkpoint / name) != one for name, one in sums.items()):
        raise UserError("The model changed while it was shown.", where=str(checkpoint))
    commit = repository.upload(
        [(name, plan.cleaned.get(name, checkpoint / name)) for name in plan.files],
        card,
        private=not request.public,
        message="Add the model",
    )
    console.say(f"Published: {repository.address}")
    console.say(f"  commit {commit.rpartition('/')[2][:12]}")
    console.say(f"Next: transcribe with it  mynah transcribe call.wav --model {request.name}")


def _show(
    plan: Plan,
    origin: ModelOrigin,
    request: PublishingRequest,
    card: str,
    *,
    address: str,
    is_new: bool,
) -> None:
    """Print what goes, where, who will see it, what stays, and the card."""
    rows = [[name, _size((plan.checkpoint / name).stat().st_size)] for name in plan.files]
    console.table(
        f"Goes from {display_path(plan.checkpoint)} to {address}",
        ["file", "size"],
        [*rows, [README, "the card below"]],
    )
    sees = "everybody" if request.public else "its owner alone (private)"
    console.say(f"Who sees it: {sees}{'' if is_new else '; the repository is there already'}")
    for name in plan.cleaned:
        console.say(f"Without the place that its weights were loaded from: {name}")
    for line in _stays(plan):
        console.say(line)
    if origin.has_ngrams and not shown_results(origin):
        console.notice(
            "The error rates are of decoding with word n-grams, which stay here. Measure without "
            "them, and name that run: "
            f"mynah eval {request.model} model.language_model=none, then --results RUN"
        )
    if request.licence is None:
        console.notice("No licence is named: nobody may use the model. --license mit, for example")
    console.say("")
    console.say(card.rstrip())
    console.say("")


def _size(size_bytes: int) -> str:
    return megabytes(size_bytes) if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _stays(plan: Plan) -> Iterator[str]:
    if plan.stays:
        yield "Stays here:"
    for name in plan.stays:
        yield f"  {name}: {why_private(name)}"


def _ask(request: PublishingRequest) -> None:
    """Ask whether it may go.

    Raises:
        UserError: It may not, or nobody is there to be asked.
    """
    if request.yes:
        return
    if not sys.stdin.isatty():
        raise UserError(
            "Nobody is there to be asked; nothing was sent.",
            where=f"{_COMMAND} {request.model} {request.name}",
            fix=f"{_COMMAND} {request.model} {request.name} --yes",
        )
    console.say(f"Type the name of the repository to publish it: {request.name}")
    if input("> ").strip() != request.name:
        raise UserError("Nothing was sent.", fix=f"type {request.name} to agree, or use --yes")
