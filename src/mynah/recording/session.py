"""``mynah record``: sentences read aloud, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mynah import console
from mynah.config.values import argument
from mynah.errors import UserError
from mynah.recording.levels import Levels, measure_levels
from mynah.recording.microphone import Microphone
from mynah.recording.voice_folder import Kept, VoiceFolder

_LONGEST_SENTENCE = 300  # characters: half a minute of reading
_RATES = (16000, 8000, 22050, 24000, 44100, 48000)

# What may be typed, by its first letter; nothing is what is most often meant.
_BEFORE = "Enter records, s skips, b goes back, q ends"
_WHILE = "recording; Enter stops"
_GOOD = "Enter keeps it, r records again, s skips, q ends"
_FAILED = "Enter tries to keep it again, r records again, s skips, q ends"
_DOUBTFUL = "Enter records again, k keeps it all the same, s skips, q ends"


@dataclass(frozen=True)
class Session:
    """Whose voice is recorded, and where to.

    Attributes:
        sentences: What is read.
        folder: What they are kept in.
        microphone: What records.
        speaker: Who reads.
        rate: Hertz.
        ask: Shows a line and gives what is typed; raises EOFError where nothing comes any more.
    """

    sentences: Sequence[str]
    folder: VoiceFolder
    microphone: Microphone
    speaker: str
    rate: int
    ask: Callable[[str], str]

    def kept(self, sentence: str) -> Kept | None:
        """What is there of a sentence by who reads now; others may have read it as well."""
        return self.folder.find(sentence, self.speaker)


def read_sentences(path: Path) -> list[str]:
    """The sentences of a file, a line each, each once.

    Raises:
        UserError: It cannot be read, or one is longer than anybody reads at once.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not in UTF-8"
        raise UserError(
            f"The sentences cannot be read: {reason}.",
            where=str(path),
            fix="a text file with a sentence on each line",
        ) from None
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_SENTENCE:
            raise UserError(
                f"This line has {len(line)} characters; a sentence has up to {_LONGEST_SENTENCE}.",
                where=f"{path}:{number}",
                fix="break it into sentences, a line each",
            )
    found = list(dict.fromkeys(" ".join(line.split()) for line in lines))
    found = [sentence for sentence in found if sentence]
    if not found:
        raise UserError("There are no sentences in this file.", where=str(path))
    return found


def record_session(session: Session) -> None:
    """Record what is not recorded yet, until all is, or whoever reads ends it."""
    waiting = [one for one in session.sentences if session.kept(one) is None]
    done = len(session.sentences) - len(waiting)
    if done:
        console.say(f"{done} of {len(session.sentences)} sentences are recorded already.")
    console.say(f"Microphone: {session.microphone.name}, {session.rate:,} Hz")
    place = 0
    try:
        while place < len(waiting):
            place = max(0, place + _one(session, waiting[place], f"{place + 1}/{len(waiting)}"))
    except EOFError:
        console.say("")
    _summarize(session)


def _one(session: Session, sentence: str, number: str) -> int:
    """Record one sentence.

    Returns:
        How far the next sentence is: 1, or -1 for the one before.

    Raises:
        EOFError: Whoever reads ends the session.
    """
    console.say("")
    console.say(f"{number}  {sentence}")
    answer = _asked(session, _BEFORE)
    if answer in ("s", "b"):
        return 1 if answer == "s" else -1
    while True:
        audio = session.microphone.record(session.rate, lambda: _stopped(session))
        levels = measure_levels(audio, session.rate)
        problems = list(levels.problems(sentence))
        answer = _judged(session, levels, problems)
        if answer == "s":
            return 1
        if answer == "k" or (answer == "" and not problems):
            answer = _keep(session, audio, sentence)
            if answer != "r":
                return 1


def _keep(session: Session, audio: np.ndarray, sentence: str) -> str:
    """Add a take to the folder; where that fails it is held until whoever reads decides.

    Returns:
        "" where it is kept, or what to do instead: ``s`` or ``r``.

    Raises:
        EOFError: Whoever reads ends the session.
    """
    while True:
        try:
            before = session.kept(sentence)
            session.folder.add(audio, session.rate, sentence, session.speaker, replaces=before)
            return ""
        except (OSError, UserError) as problem:
            console.error(f"It is not kept: {problem}")
        answer = _asked(session, _FAILED)
        if answer in ("r", "s"):
            return answer


def _judged(session: Session, levels: Levels, problems: Sequence[str]) -> str:
    console.say(f"  {levels}")
    for problem in problems:
        console.notice(problem)
    return _asked(session, _DOUBTFUL if problems else _GOOD)


def _stopped(session: Session) -> None:
    """Wait until the take is ended; one that ends with the input is kept to be judged."""
    session.ask(f"  {_WHILE} ")


def _asked(session: Session, choices: str) -> str:
    answer = session.ask(f"  {choices}: ").strip().lower()[:1]
    if answer == "q":
        raise EOFError
    return answer


def _summarize(session: Session) -> None:
    rows = len(session.folder.rows)
    if not rows:
        console.say("Nothing was recorded.")
        return
    left = sum(session.kept(one) is None for one in session.sentences)
    count = "1 sentence is" if left == 1 else f"{left} sentences are"
    console.say(f"{rows} recordings in {session.folder.path}; {count} left.")
    if left:
        console.say("The same command resumes.")
    name = argument("data.dataset_name", str(session.folder.path))
    console.say(f"Next: train on them  mynah train {name} data.eval_splits=null")


def check_device_rate(rate: int) -> None:
    """Look whether a sample rate is a usual one.

    Raises:
        UserError: It is not.
    """
    if rate not in _RATES:
        raise UserError(
            f"{rate} Hz is not a rate of sound devices.",
            where=f"--rate {rate}",
            fix=f"one of {', '.join(map(str, sorted(_RATES)))}",
        )
