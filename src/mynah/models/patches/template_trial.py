"""One rendering of a chat template, as a program of its own: ``python template_trial.py``.

It reads ``{"template": ..., "context": ...}`` from its input, and ends well whether the template
does its work or raises; where it takes all the time or memory that there is, it is ended. Nothing
of Mynah is imported here, and of transformers nothing either: what its environment for templates
lets them do is done here too (``transformers.utils.chat_template_utils``).
"""

import json
import sys

SECONDS = 2  # of processor time: one takes a few thousandths
BYTES = 2**30
LETTERS = 2**20  # of what is written: a prompt has some hundred
TOO_MUCH = 3  # exit status


def limit() -> None:
    """Take what a template may take, where the system can tell."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


def render(template: str, context: dict[str, object]) -> str:
    """The text; whatever jinja raises where there is none."""
    import jinja2.ext
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}  # noqa: RUF012, of each instance, as jinja has it

        def parse(self, parser: "jinja2.parser.Parser") -> nodes.Node | list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda pattern: "2024-12-19"
    return environment.from_string(template).render(**context)


def _raise(message: str) -> None:
    raise ValueError(message)


def main() -> int:
    """0 where the template came to an end."""
    asked = json.load(sys.stdin)
    limit()
    try:
        return TOO_MUCH if len(render(**asked)) > LETTERS else 0
    except MemoryError:
        return TOO_MUCH
    except Exception:  # a template that raises has come to an end
        return 0


if __name__ == "__main__":
    sys.exit(main())
