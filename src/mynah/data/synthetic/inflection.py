"""English word forms by rule, with the exceptions that the embedded word lists need."""

from __future__ import annotations

_PLURALS = {
    "crisis": "crises", "foot": "feet", "goose": "geese", "jellyfish": "jellyfish",
    "mouse": "mice", "ox": "oxen", "postman": "postmen", "salmon": "salmon", "scarf": "scarves",
    "sheep": "sheep", "shelf": "shelves", "tooth": "teeth", "wolf": "wolves",
}  # fmt: skip

# base: (past, participle)
_IRREGULAR = {
    "break": ("broke", "broken"), "bring": ("brought", "brought"), "build": ("built", "built"),
    "catch": ("caught", "caught"), "choose": ("chose", "chosen"), "cut": ("cut", "cut"),
    "draw": ("drew", "drawn"), "find": ("found", "found"), "forget": ("forgot", "forgotten"),
    "hide": ("hid", "hidden"), "hold": ("held", "held"), "lend": ("lent", "lent"),
    "lose": ("lost", "lost"), "sell": ("sold", "sold"), "send": ("sent", "sent"),
    "shake": ("shook", "shaken"), "show": ("showed", "shown"),
    "sweep": ("swept", "swept"), "take": ("took", "taken"), "throw": ("threw", "thrown"),
    "understand": ("understood", "understood"), "drive": ("drove", "driven"),
    "eat": ("ate", "eaten"), "fall": ("fell", "fallen"), "fight": ("fought", "fought"),
    "fly": ("flew", "flown"), "grow": ("grew", "grown"), "kneel": ("knelt", "knelt"),
    "leave": ("left", "left"),
    "run": ("ran", "run"), "sing": ("sang", "sung"), "sit": ("sat", "sat"),
    "sleep": ("slept", "slept"), "speak": ("spoke", "spoken"), "stand": ("stood", "stood"),
    "swim": ("swam", "swum"), "think": ("thought", "thought"), "wake": ("woke", "woken"),
    "win": ("won", "won"), "prove": ("proved", "proven"),
}  # fmt: skip

# Verbs of more than one syllable whose last consonant doubles all the same.
_DOUBLES = {"travel", "quarrel", "cancel", "forget"}
_VOWELS = "aeiou"


def plural(noun: str) -> str:
    """The plural; of a compound, of its last word (``fire engine``, ``fire engines``)."""
    head, space, last = noun.rpartition(" ")
    if last in _PLURALS:
        made = _PLURALS[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        made = last + "es"
    elif last.endswith("y") and last[-2] not in _VOWELS:
        made = last[:-1] + "ies"
    elif last.endswith(("ato", "ero", "quito")):
        made = last + "es"
    else:
        made = last + "s"
    return head + space + made


def present(verb: str) -> str:
    """The third person: ``carry``, ``carries``."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ies"
    return verb + "s"


def past(verb: str) -> str:
    """The simple past: ``stop``, ``stopped``."""
    return _IRREGULAR[verb][0] if verb in _IRREGULAR else _with_ed(verb)


def participle(verb: str) -> str:
    """The past participle: ``take``, ``taken``."""
    return _IRREGULAR[verb][1] if verb in _IRREGULAR else _with_ed(verb)


def gerund(verb: str) -> str:
    """The form in -ing: ``run``, ``running``."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def comparative(adjective: str) -> str:
    """The comparative of a short adjective: ``dry``, ``drier``."""
    return _graded(adjective, "er")


def superlative(adjective: str) -> str:
    """The superlative of a short adjective: ``big``, ``biggest``."""
    return _graded(adjective, "est")


def article(following: str) -> str:
    """``a`` or ``an`` before ``following``, by its sound as far as its letters tell."""
    if following.startswith(("hour", "honest", "heir")):
        return "an"
    if following.startswith(("uni", "use", "usu", "uku", "euro", "one", "ute")):
        return "an" if following.startswith(("unim", "unin", "unint")) else "a"
    return "an" if following[:1] in _VOWELS else "a"


def _with_ed(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def _doubled(verb: str) -> str:
    if verb in _DOUBLES:
        return verb + verb[-1]
    one_syllable = (
        sum(
            letter in _VOWELS + "y" and (position == 0 or verb[position - 1] not in _VOWELS)
            for position, letter in enumerate(verb)
        )
        == 1
    )
    ends_short = (
        len(verb) >= 3
        and verb[-1] not in _VOWELS + "wxy"
        and verb[-2] in _VOWELS
        and (verb[-3] not in _VOWELS or (verb[-3:-1] == "ui" and verb[-4:-3] == "q"))
    )
    return verb + verb[-1] if one_syllable and ends_short else verb


def _graded(adjective: str, ending: str) -> str:
    if adjective.endswith("e"):
        return adjective + ending[1:]
    if adjective.endswith("y"):
        return adjective[:-1] + "i" + ending
    return _doubled(adjective) + ending
