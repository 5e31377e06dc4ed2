"""``mynah completion SHELL``: what a shell needs to complete ``mynah`` on the tab key."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_SHELLS = ("bash", "zsh", "fish")
_WORDS = "words"  # what the shells call, with what is typed so far

# A shell cuts words at "=" as well; what it is given back begins behind the last cut.
_BASH = """\
_mynah() {
    local line="${COMP_LINE:0:COMP_POINT}" current="${COMP_WORDS[COMP_CWORD]}" typed found kept
    read -ra typed <<< "$line"
    [[ "$line" == *" " ]] && typed+=("")
    typed=("${typed[@]:1}")
    local word="${typed[${#typed[@]}-1]}"
    [[ "$current" == "=" ]] && current=""
    kept="${word%"$current"}"
    COMPREPLY=()
    while IFS= read -r found; do
        [[ -n "$found" ]] && COMPREPLY+=("${found#"$kept"}")
    done < <(mynah completion words "${typed[@]}" 2> /dev/null)
    [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == *= ]] && compopt -o nospace
}
complete -o default -F _mynah mynah
"""
_ZSH = """\
#compdef mynah
_mynah() {
    local -a found
    found=("${(@f)$(mynah completion words "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
    found=(${found:#})
    (( ${#found} )) || { _files; return }
    local -a open=(${(M)found:#*=}) done=(${found:#*=})
    (( ${#open} )) && compadd -S '' -Q -- "${open[@]}"
    (( ${#done} )) && compadd -Q -- "${done[@]}"
}
compdef _mynah mynah
"""
_FISH = """\
function __mynah_words
    set -l typed (commandline -opc) (commandline -ct)
    mynah completion words $typed[2..-1] 2> /dev/null
end
complete -c mynah -n 'count (__mynah_words) > /dev/null' -f -a '(__mynah_words)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_EPILOG = """\
examples:
  source <(mynah completion bash)                                       this bash
  mynah completion bash >> ~/.bashrc                                    every bash from now on
  mynah completion zsh > "${fpath[1]}/_mynah"                           zsh
  mynah completion fish > ~/.config/fish/completions/mynah.fish         fish
"""


def main(arguments: Sequence[str]) -> int:
    """Print a shell's script, or the words that may follow what is typed.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if arguments[:1] == [_WORDS]:
        from mynah.cli.shared.words import candidates

        return exit_status(lambda: print("\n".join(candidates(list(arguments[1:])))))
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: print(_SCRIPTS[parsed.shell], end=""))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog="mynah completion",
        description="Print what a shell needs to complete mynah's commands, settings, groups and "
        "experiments on the tab key.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    made.add_argument("shell", choices=_SHELLS)
    return made
