"""A repository of models on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, constants, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
)

from mynah.checkpoints.publishing import README
from mynah.errors import UserError


def check_repository_name(name: str) -> None:
    """Look whether a name is one of a repository.

    Raises:
        UserError: It is not.
    """
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name, re.ASCII) is None:
        raise UserError(
            f"{name!r} is not a name of the hub.",
            where="NAME",
            fix="owner/name, as anna/whisper-calls; `hf auth whoami` says who you are",
        )


class Repository:
    """One repository, by its name.

    Args:
        name: ``owner/name``.

    Raises:
        UserError: It is not a repository's name, or nobody is logged in.
    """

    def __init__(self, name: str) -> None:
        check_repository_name(name)
        if get_token() is None:
            raise UserError(
                "Nobody is logged in to the Hugging Face hub.",
                fix="hf auth login  or set HF_TOKEN to a token that may write",
            )
        self.name = name
        self._api = HfApi()

    @property
    def address(self) -> str:
        """Its page."""
        return f"{constants.ENDPOINT}/{self.name}"

    def is_private(self) -> bool | None:
        """Whether it is private; None: there is none yet.

        Raises:
            UserError: The hub does not answer, or does not let us see it.
        """
        with _said():
            try:
                return bool(self._api.model_info(self.name).private)
            except RepositoryNotFoundError:
                return None

    def upload(
        self,
        files: Sequence[tuple[str, Path | bytes]],
        card: ModelCard,
        *,
        private: bool,
        message: str,
    ) -> str:
        """Make the repository where there is none, and add everything to it in one commit.

        Args:
            files: Names there, with the files or their content.
            card: Its README.md.
            private: Whether a new repository is private; one that is there stays as it is.
            message: Of the commit.

        Returns:
            The commit's page.

        Raises:
            UserError: The hub refuses the card or a file, or does not answer; then nothing of
                them is in the repository.
        """
        with _said():
            card.validate()
            self._api.create_repo(self.name, private=private, exist_ok=True)
            operations = [
                CommitOperationAdd(name, one if isinstance(one, bytes) else str(one))
                for name, one in files
            ]
            operations.append(CommitOperationAdd(README, str(card).encode()))
            return self._api.create_commit(self.name, operations, commit_message=message).commit_url


@contextmanager
def _said() -> Iterator[None]:
    """What goes wrong at the hub, as messages of ours."""
    import httpx2

    try:
        yield
    except HFValidationError as problem:
        raise UserError(str(problem).splitlines()[0], where="NAME") from None
    except LocalTokenNotFoundError:
        raise UserError("Nobody is logged in to the hub.", fix="hf auth login") from None
    except HfHubHTTPError as problem:
        status = problem.response.status_code
        said = (problem.server_message or str(problem)).splitlines()[0][:200]
        fix = "hf auth login  with a token that may write there" if status in (401, 403) else None
        raise UserError(f"The hub refuses it ({status}): {said}", fix=fix) from None
    except ValueError as problem:  # the hub's validation of the card
        raise UserError(f"The hub does not take the model card: {problem}") from None
    except (httpx2.HTTPError, OSError) as problem:
        raise UserError(
            f"The hub cannot be reached: {type(problem).__name__}.",
            where=constants.ENDPOINT,
            fix="see whether this machine has a network; nothing was published",
        ) from None
