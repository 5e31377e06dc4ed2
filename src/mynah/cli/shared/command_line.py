"""The command line of a run: flags, messages with corrected commands, the run's directory.

What a person typed is checked in full before Hydra sees it, so that a mistake costs less than
a second and claims no directory. Then Hydra's own ``main`` takes over.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mynah import console, distributed
from mynah.cli.shared.corrections import corrected, first_value, one_run, shell
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.job import check_names, run_overrides
from mynah.cli.shared.places import check_directories
from mynah.cli.shared.submitted import check_sweep, submit_run
from mynah.config import settings
from mynah.config.hydra.compose import Composed, compose, from_hydra, prepare_hydra
from mynah.config.hydra.flags import parse_flags
from mynah.config.hydra.literal_paths import literal_places
from mynah.config.hydra.overrides import parse_overrides
from mynah.config.hydra.search_path import config_directories, install_search_path
from mynah.config.hydra.shown import help_text, hydra_help_text, job_yaml
from mynah.config.schema.launch import LOCAL
from mynah.config.schema.sweep import is_search_setting
from mynah.distributed import is_first_rank
from mynah.errors import ConfigError, ConfigErrors, UserError


def command_line(
    task: Callable[[], Any],
    argv: Sequence[str] | None = None,
    program: str | None = None,
    *,
    of_hydra: Sequence[str] = (),
) -> int:
    """Run a function that is decorated with ``@hydra.main``, and say how it ended.

    Args:
        task: The decorated function.
        argv: Its arguments; None: those of this process.
        program: The command as it is typed, for messages; None: this process's.
        of_hydra: Hydra's settings of a sweep, beside those that were typed.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    line = CommandLine(arguments, program or _program(), of_hydra=of_hydra)

    def run() -> int | None:
        distributed.adopt_slurm()
        distributed.check_launch()
        distributed.quiet_torch()
        console.hush(not is_first_rank())
        return line.run(task)

    return exit_status(run, requeues=line.requeues)


def _program() -> str:
    script = sys.argv[0]
    # Hatch's scripts give the full path; a person in its shell types a shorter one.
    from_hatch = "HATCH_ENV_ACTIVE" in os.environ and Path(script).is_absolute()
    if from_hatch and script.endswith(_SCRIPT):
        return "hatch run train"
    return f"python {script}" if script.endswith(".py") else "mynah train"


_SCRIPT = "/src/train_hydra.py"
_CORRECTIONS = 5  # of a command, each of what the one before leads to


class CommandLine:
    """Arguments as typed, and what they ask for.

    Args:
        arguments: Without the program's name.
        program: The command as it is typed, for messages.
        trains: Whether a training is what the settings are for.
        of_hydra: Hydra's settings of a sweep, beside those that were typed.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        program: str,
        *,
        trains: bool = True,
        of_hydra: Sequence[str] = (),
    ) -> None:
        self.arguments = list(arguments)
        self.program = program
        self._trains = trains
        self._of_hydra = of_hydra

    def run(self, task: Callable[[], Any]) -> int | None:
        """Check everything, then let Hydra run ``task``, or show what is asked for.

        Raises:
            UserError: Anything on the command line or in the files is wrong.
        """
        prepare_hydra()
        try:
            flags, overrides = parse_flags(self.arguments)
        except ConfigErrors as problem:
            raise self.with_command(problem.errors) from problem
        install_search_path(
            _directories(flags), Path(flags.config_dir) if flags.config_dir else None
        )
        if flags.shell_completion or flags.experimental_rerun:
            return self._hydra(task, self.arguments)
        self._check_flags(flags)
        composed = self._compose(flags, overrides)
        if flags.help:
            print(help_text(composed, _directories(flags)), end="")
            return None
        if flags.hydra_help or flags.cfg == "job":
            about_hydra = hydra_help_text(composed, _directories(flags)) if flags.hydra_help else ""
            if flags.cfg == "job":
                print(job_yaml(composed, flags.package, flags.resolve), end="")
            print(about_hydra, end="")
            return None
        shown = flags.cfg or flags.info
        if shown:  # through Hydra's log; whoever reads it may stop early, as `head` does
            logging.raiseExceptions = False
        if not shown:
            check_directories(overrides, composed.config)
            check_names(composed.config.training.output_dir)
        given = self._flags(flags)
        is_sweep = flags.multirun or _is_multirun(composed)
        if is_sweep and not shown:
            from mynah.cli.shared.searches import sweeper

            given += [*self._of_hydra, *sweeper(composed)]
            check_sweep(composed)
        if shown or is_sweep:
            return self._hydra(task, [*given, *composed.arguments])
        if composed.config.launch.launcher != LOCAL:
            return submit_run(composed, self.arguments, self.program)
        return self._hydra(task, [*given, *composed.arguments, *run_overrides(composed)])

    def requeues(self) -> bool:
        """Whether the settings ask to put a SLURM job that is out of time back into the queue."""
        flags, overrides = parse_flags(self.arguments)
        return self._compose(flags, overrides).config.training.requeue

    def _hydra(self, task: Callable[[], Any], arguments: Sequence[str]) -> int | None:
        """Let Hydra run or show; an exit status where the job left with one."""
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException

        typed, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
        sys.argv = [typed[0], *arguments]
        os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as they are
        try:
            with literal_places():
                task()
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else None
        except (HydraException, OmegaConfBaseException) as problem:
            raise ConfigErrors([from_hydra(problem)]) from problem
        finally:
            sys.argv = typed
            if full_error is None:
                del os.environ["HYDRA_FULL_ERROR"]
            else:
                os.environ["HYDRA_FULL_ERROR"] = full_error
        return None

    def _check_flags(self, flags: argparse.Namespace) -> None:
        asked = {
            "--run": flags.run,
            "-m": flags.multirun,
            "--cfg": bool(flags.cfg),
            "--info": flags.info is not None,
        }
        given = [name for name, is_given in asked.items() if is_given]
        if len(given) > 1:
            kept = "--cfg" if flags.cfg else given[-1]
            dropped = {"-m": ("-m", "--multirun"), "--run": ("-r", "--run")}
            leave = [w for name in given if name != kept for w in dropped.get(name, (name,))]
            rest = [token for token in self.arguments if token not in leave]
            why = (
                ": it shows one configuration, and -m runs many"
                if kept == "--cfg" and flags.multirun
                else ""
            )
            raise ConfigErrors(
                [ConfigError(f"{' and '.join(given)} do not go together{why}.")],
                self._command(one_run(rest) if flags.multirun and kept != "-m" else rest),
            )
        if flags.resolve and not flags.cfg and not flags.help:
            raise ConfigErrors(
                [ConfigError("--resolve goes with --cfg or --help.")],
                self._command(["--cfg", "job", *self.arguments]),
            )
        if flags.config_dir is not None and not Path(flags.config_dir).is_dir():
            raise self._no_config_dir(flags.config_dir)

    def _no_config_dir(self, typed: str) -> ConfigErrors:
        parent = Path(typed).parent
        siblings = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
        close = difflib.get_close_matches(Path(typed).name, siblings, n=1)
        instead = str(parent / close[0]) if close else None
        rest = [instead if token == typed else token for token in self.arguments if instead]
        return ConfigErrors(
            [
                ConfigError(
                    f"There is no directory {typed}.",
                    where=f"command line: --config-dir {typed}",
                    fix=None if instead else "name a directory that holds experiments/NAME.yaml",
                )
            ],
            self._command([token for token in rest if token]) if instead else None,
        )

    # Composing

    def _compose(self, flags: argparse.Namespace, overrides: Sequence[str]) -> Composed:
        """Compose and check; of a sweep, every value of every swept setting."""
        try:
            return self._composed(flags, overrides)
        except ConfigErrors as problem:
            raise self.with_command(problem.errors) from problem

    def _composed(self, flags: argparse.Namespace, overrides: Sequence[str]) -> Composed:
        where: dict[str, Any] = {"directories": _directories(flags)}
        if flags.config_name:
            where["config_name"] = flags.config_name.removesuffix(".yaml")
        variants = self._variants(flags, overrides)
        try:
            composed = compose(variants[0], trains=self._trains, **where)
            for variant in variants[1:]:
                compose(variant, trains=self._trains, **where)
        except ConfigErrors as problem:
            from mynah.cli.shared.searches import of_swept

            raise of_swept(problem, overrides) from problem
        is_sweep = flags.multirun or _is_multirun(composed)
        if is_sweep or any(map(is_search_setting, overrides)):
            from mynah.cli.shared.searches import check_sweep_settings

            check_sweep_settings(overrides, composed, is_sweep=is_sweep)
        plain = iter(composed.arguments)
        arguments = [
            str(one.input_line) if one.is_sweep_override() else next(plain)
            for one in parse_overrides(overrides)
        ]
        return dataclasses.replace(composed, arguments=arguments)

    def _variants(self, flags: argparse.Namespace, overrides: Sequence[str]) -> list[list[str]]:
        """The commands that a sweep has to be right for: each swept value once."""
        parsed = parse_overrides(overrides)
        swept = [o for o in parsed if o.is_sweep_override()]
        plain = [o.input_line for o in parsed if not o.is_sweep_override()]
        if not swept:
            return [plain]
        if not flags.multirun and not any(o == "hydra.mode=MULTIRUN" for o in overrides):
            raise ConfigErrors([self._not_a_sweep(o, _shows(flags)) for o in swept])
        from mynah.cli.shared.searches import values_of

        values = []
        for override in swept:
            key, texts = override.get_key_element(), values_of(override)
            found = settings.find(override.key_or_group)
            if found is not None and settings.is_list_of_texts(found):
                self._check_lists(override, texts)
            values.append([f"{key}={text}" for text in texts])
        firsts = [each[0] for each in values]
        variants = [plain + firsts]
        for position, each in enumerate(values):
            for value in each[1:]:
                variants.append([*plain, *firsts[:position], value, *firsts[position + 1 :]])
        return variants

    def _check_lists(self, override: Any, texts: Sequence[str]) -> None:
        """Report the values of a swept list that are none: only one by itself stands for a list."""
        if all(text.startswith("[") or text == "null" for text in texts):
            return
        key, typed = override.get_key_element(), override.input_line
        if is_search_setting(typed):  # of which there is one
            listed = f"[{','.join(text.strip('[]') for text in texts)}]"
        else:
            listed = ",".join(text if text.startswith("[") else f"[{text}]" for text in texts)
        raise ConfigErrors(
            [
                ConfigError(
                    f"{override.key_or_group} is a list: each of its values goes into brackets.",
                    where=f"command line: {typed}",
                    argument=typed,
                    instead=f"{key}={listed}",
                )
            ]
        )

    def _not_a_sweep(self, override: Any, shows: str | None) -> ConfigError:
        typed = override.input_line
        key, _, value = typed.partition("=")
        found = settings.find(override.key_or_group)
        is_list = found is not None and "list" in str(found.type)
        if is_list:
            instead = [f"{key}=[{value}]"]
            what = f"{override.key_or_group} is a list: its values go into brackets."
        else:
            instead = ["-m", typed]
            what = "Several values are a sweep, which is asked for with -m."
        where = f"command line: {typed}"
        if not is_list and not override.is_interval_sweep():
            from mynah.cli.shared.searches import tried, values_of

            kept, wrong = tried(key, values_of(override))
            if wrong is not None:
                what = wrong
                instead = [*(["-m"] if len(kept) > 1 else []), f"{key}={','.join(kept)}"]
                if not kept:
                    return ConfigError(what, where=where)
        if shows and not is_list:
            if instead[0] == "-m":
                what = f"Several values are a sweep, and {shows} shows one configuration."
            instead = [first_value(instead[-1])]
        return ConfigError(what, where=where, argument=typed, instead=instead)

    # Messages

    def with_command(self, errors: Sequence[UserError]) -> ConfigErrors:
        """The errors with the corrected command, where arguments are to blame or can fix them.

        A command is printed that leads to no next mistake: what is wrong with the corrected one
        is corrected in it as well. What a file has to fix is not the command's.
        """
        tokens = corrected(self.arguments, errors)
        known = {str(error) for error in errors}
        for _ in range(_CORRECTIONS):
            following = self._mistakes(tokens) if tokens is not None else []
            if not following or {str(error) for error in following} <= known:
                break
            tokens = corrected(tokens or [], following)
        else:
            tokens = None
        return ConfigErrors(list(errors), self._command(tokens) if tokens is not None else None)

    def _mistakes(self, tokens: Sequence[str]) -> list[UserError]:
        """What is wrong with a command."""
        try:
            flags, overrides = parse_flags(tokens)
            self._composed(flags, overrides)
        except ConfigErrors as problem:
            return problem.errors
        return []

    def _command(self, tokens: Sequence[str]) -> str:
        return " ".join([self.program, *(shell(token) for token in tokens)])

    def _flags(self, flags: argparse.Namespace) -> list[str]:
        """The flags for Hydra, as it writes them."""
        given = []
        for name in ("cfg", "package", "config_name", "info"):
            value = getattr(flags, name)
            if value is not None:
                given += [f"--{name.replace('_', '-')}", str(value)]
        if flags.resolve:
            given.append("--resolve")
        if flags.multirun:
            given.append("--multirun")
        return given


def _directories(flags: argparse.Namespace) -> list[Path]:
    return config_directories(
        Path(flags.config_dir) if flags.config_dir else None,
        Path(flags.config_path) if flags.config_path else None,
    )


def _shows(flags: argparse.Namespace) -> str | None:
    """The flag that shows something of one run."""
    return "--cfg" if flags.cfg else "--info" if flags.info is not None else None


def _is_multirun(composed: Composed) -> bool:
    mode = composed.hydra.mode
    return mode is not None and mode.name == "MULTIRUN"
