"""What a decoder is conditioned on: where a transcript starts, its language, its task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from mynah.errors import UserError

TRANSCRIBE, TRANSLATE = "transcribe", "translate"
_SHOWN_LANGUAGES = 30


class Prompts(ABC):
    """The decoder's first tokens, as many for every language.

    Args:
        language: Language of every clip; None: each row's own.
        task: ``"transcribe"`` or ``"translate"``.

    Attributes:
        languages: ISO 639-1 codes that the model knows; empty where it takes none.
        tasks: What it can be asked to do.
        takes_context: Whether text before the first tokens conditions the decoder, as names and
            terms that may be said.
        most_context: The most tokens of such a text.
    """

    languages: Sequence[str] = ()
    tasks: Sequence[str] = (TRANSCRIBE,)
    takes_context: bool = False
    most_context: int = 0

    def __init__(self, language: str | None, task: str | None) -> None:
        self.task = task or TRANSCRIBE
        if self.task not in self.tasks:
            raise UserError(
                f"This model transcribes; it cannot {self.task}.",
                where="model.task",
                fix="model.task=null",
            )
        if language is not None and not self.languages:
            raise UserError(
                "This model takes no language: it knows one alone.",
                where="model.language",
                fix="model.language=null",
            )
        self.language = None if language is None else self._known(language, "model.language")

    @abstractmethod
    def tokens(self, language: str) -> list[int]:
        """Token ids for a language that :attr:`languages` has; "" where it has none."""

    def recorded(self) -> dict[str, Any]:
        """What a generation config says of them to plain transformers; None: it says nothing."""
        return {}

    def previous(self, context: str, room: int | None = None) -> list[int]:
        """Token ids of names and terms, which come before :meth:`ids`; none of no text.

        Args:
            context: The text; its end is kept where not all of it fits.
            room: Most tokens, that which begins them included; None: as many as may be.
        """
        return []

    def context_tokens(self, context: str) -> int:
        """How many tokens a text before a transcript has, whether they fit or not."""
        return 0

    def within(self, positions: int | None, context: str, language: str, labels: int) -> list[int]:
        """Token ids of names and terms and of :meth:`ids`.

        Args:
            positions: Most tokens that the decoder holds; None: any number.
            context: Names and terms; their end is kept where not all of them fit.
            language: Of the row.
            labels: Tokens that the decoder reads behind them.
        """
        prompt = self.ids(language)
        room = None if positions is None else positions - len(prompt) - labels
        return [*self.previous(context, room), *prompt]

    def ids(self, language: str) -> list[int]:
        """Token ids for a row of this language; ``model.language`` comes before it."""
        return self.tokens(self.spoken(language))

    def spoken(self, language: str) -> str:
        """The language that the decoder is conditioned on for a row of ``language``.

        Of a row whose language is not known it is the model's first: :meth:`check` refuses such
        rows before they count.
        """
        if not self.languages:
            return ""
        if self.language is not None:
            return self.language
        return self._code(language) or self.languages[0]

    def knows(self, language: str) -> bool:
        """Whether the decoder can be conditioned on what is spoken in a row of ``language``."""
        return not self.languages or self.language is not None or bool(self._code(language))

    def check(self, languages: Iterable[str]) -> None:
        """Raise where a row of a corpus is in no language that the model supports.

        Raises:
            UserError: With the setting that fixes it.
        """
        for language in sorted({one for one in languages if not self.knows(one)}):
            if language:
                self._known(language, "data")
            raise UserError(
                "The decoder of this model is conditioned on the language, and there are rows "
                "whose language is not known.",
                where="model.language",
                fix="model.language=en, or whichever it is; or a column `language` in the data",
            )

    def _known(self, language: str, where: str) -> str:
        code = self._code(language)
        if code is None:
            known = ", ".join(list(self.languages)[:_SHOWN_LANGUAGES])
            more = len(self.languages) - _SHOWN_LANGUAGES
            raise UserError(
                f"The model knows no language {language!r}.",
                where=where,
                fix=f"It knows {known}" + (f" and {more} more" if more > 0 else ""),
            )
        return code

    def _code(self, language: str) -> str | None:
        """The model's own name of a language: en of en, en-US, EN or English."""
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        name = language.strip().lower()
        name = TO_LANGUAGE_CODE.get(name, name)
        for one in (name, name.replace("_", "-").partition("-")[0]):
            if one and one in self.languages:
                return one
        return None


class FixedPrompts(Prompts):
    """One start token, as Moonshine's."""

    def __init__(self, start: int, language: str | None, task: str | None) -> None:
        super().__init__(language, task)
        self._start = start

    def tokens(self, language: str) -> list[int]:
        return [self._start]


def start_token(model: Any) -> int:
    """The decoder's first token.

    Raises:
        UserError: No configuration says it.
    """
    for config in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if (found := getattr(config, name, None)) is not None:
                return int(found)
    raise UserError(
        "The model's configuration does not say with which token its decoder starts.",
        where="model.pretrained",
        fix="Set decoder_start_token_id in its config.json, or name another model.",
    )
