"""Scripts that complete a command line in bash, zsh and PowerShell, made from the parser itself.

docs/design/002-dependencies.md says why no library does it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Takes: TypeAlias = Literal["nothing", "text", "file", "directory"]
"""What belongs behind an option, or in the place of an operand."""
Values: TypeAlias = Mapping[str, tuple[str, ...]]
"""Values to offer, by the name of an option or the label of an operand."""


@dataclass(frozen=True, slots=True)
class Word:
    """An option by its names, or an operand (no names). `choices`: its values; () for any. A file may stand beside them."""

    names: tuple[str, ...]
    help: str
    takes: Takes
    choices: tuple[str, ...] = ()
    label: str = "value"  # what the value is called


@dataclass(frozen=True, slots=True)
class CommandWords:
    """A command by its words ("rules show"; "" for none), with what may follow them."""

    path: str
    help: str
    options: tuple[Word, ...]
    operands: tuple[Word, ...]
    below: tuple[tuple[str, str], ...]  # sub-commands with their help


def commands_of(
    parser: argparse.ArgumentParser, values: Values | None = None, path: str = "", about: str = ""
) -> tuple[CommandWords, ...]:
    """Every command of `parser`, each before those below it. `values` are offered where the parser names no choices."""
    known = values or {}
    words = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    groups = [action for action in words if isinstance(action, argparse._SubParsersAction)]
    below = {one.dest: one.help or "" for group in groups for one in group._choices_actions}
    found = [
        CommandWords(
            path,
            about,
            tuple(_word(action, known) for action in words if action.option_strings),
            tuple(
                _word(action, known) for action in words if not action.option_strings and action not in groups
            ),
            tuple(below.items()),
        )
    ]
    for group in groups:
        for name, one in group.choices.items():
            found += commands_of(one, known, f"{path} {name}".strip(), below[name])
    return tuple(found)


def _word(action: argparse.Action, values: Values) -> Word:
    label = str(action.metavar or action.dest)
    takes: Takes = "text"
    if action.nargs == 0:
        takes = "nothing"
    elif "FILE" in label or label.startswith("REPORT"):
        takes = "file"
    elif label == "DIR":
        takes = "directory"
    offered = next((values[key] for key in (*action.option_strings, label) if key in values), ())
    choices = tuple(map(str, action.choices or offered))
    return Word(tuple(action.option_strings), action.help or "", takes, choices, label)


# --- bash ------------------------------------------------------------------------------------------------------------

_BASH = """\
# Completion of wayclear for bash, made by `wayclear completion bash`.
_wayclear() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path="" i
    COMPREPLY=()
    # bash takes --option=value for three words
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${COMP_WORDS[i]}" in
            <<PATHS>>) path="$path ${COMP_WORDS[i]}" ;;
        esac
    done
    case "$path $previous" in
<<VALUES>>
    esac
    if [[ $current == -* ]]; then
        case "$path" in
<<OPTIONS>>
        esac
        return
    fi
    case "$path" in
<<OPERANDS>>
    esac
}
complete -F _wayclear wayclear
"""
_BASH_FILES: Mapping[Takes, str] = {
    "file": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")',
    "directory": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")',
    "text": "",
    "nothing": "",
}


def bash(commands: Sequence[CommandWords]) -> str:
    """A script for bash 4.4 or newer (`compopt`, `mapfile -t` in a function)."""
    values, options, operands = [], [], []
    for one in commands:
        for option in (option for option in one.options if option.takes != "nothing"):
            cases = "|".join(_bash_quoted(f"{_bash_path(one.path)} {name}") for name in option.names)
            values.append(f"        {cases}) {_bash_value(option)}return ;;")
        names = " ".join(name for option in one.options for name in option.names)
        options.append(f"            {_bash_quoted(_bash_path(one.path))}) {_bash_words(names)} ;;")
        words = " ".join(name for name, _ in one.below)
        offered = _bash_words(words) if words else "".join(map(_bash_value, one.operands[:1]))
        if offered := offered.rstrip("; "):
            operands.append(f"        {_bash_quoted(_bash_path(one.path))}) {offered} ;;")
    paths = "|".join(_bash_quoted(_bash_path(one.path)) for one in commands if one.path)
    return (
        _BASH.replace("<<PATHS>>", paths)
        .replace("<<VALUES>>", "\n".join(values))
        .replace("<<OPTIONS>>", "\n".join(options))
        .replace("<<OPERANDS>>", "\n".join(operands))
    )


def _bash_path(path: str) -> str:
    return f" {path}" if path else ""


def _bash_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _bash_words(words: str) -> str:
    return f'mapfile -t COMPREPLY < <(compgen -W {_bash_quoted(words)} -- "$current")'


def _bash_value(word: Word) -> str:
    names, files = _bash_words(" ".join(word.choices)) if word.choices else "", _BASH_FILES[word.takes]
    found = f"{names}; ((${{#COMPREPLY[@]}})) || {{ {files}; }}" if names and files else names or files
    return f"{found}; " if found else ""


# --- zsh -------------------------------------------------------------------------------------------------------------

_ZSH = """\
#compdef wayclear
# Completion of wayclear for zsh, made by `wayclear completion zsh`.
<<FUNCTIONS>>
# As a file in $fpath it is the function itself; by `source` it is registered.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _wayclear "$@"
else
    compdef _wayclear wayclear
fi
"""
_ZSH_FILES: Mapping[Takes, str] = {"file": "_files", "directory": "_files -/", "text": " ", "nothing": " "}


def zsh(commands: Sequence[CommandWords]) -> str:
    """A script for the completion system of zsh (`compinit`)."""
    return _ZSH.replace("<<FUNCTIONS>>", "\n".join(map(_zsh_function, commands)))


def _zsh_function(one: CommandWords) -> str:
    specs = [spec for option in one.options for spec in _zsh_options(option)]
    # an operand of any text would make zsh list a single option instead of completing it
    offered = [word for word in one.operands[:1] if word.takes != "text" or word.choices]
    specs += [f"*:{_zsh_safe(word.label)}:{_zsh_action(word)}" for word in offered]
    name = _zsh_name(one.path)
    if not one.below:
        lines = " \\\n        ".join(map(_bash_quoted, specs))
        return f"{name}() {{\n    _arguments -s \\\n        {lines}\n}}"
    specs += ["1:command:->command", "*::argument:->argument"]
    lines = " \\\n        ".join(map(_bash_quoted, specs))
    known = " ".join(_bash_quoted(f"{word}:{about}") for word, about in one.below)
    cases = "\n".join(
        f"            {word}) {_zsh_name(f'{one.path} {word}'.strip())} ;;" for word, _ in one.below
    )
    return (
        f"{name}() {{\n    local context state state_descr line\n    typeset -A opt_args\n"
        f"    _arguments -C \\\n        {lines}\n    case $state in\n"
        f"        command)\n            local -a known=({known})\n            _describe command known ;;\n"
        f"        argument) case $words[1] in\n{cases}\n        esac ;;\n    esac\n}}"
    )


def _zsh_name(path: str) -> str:
    return "_".join(["_wayclear", *path.split()])


def _zsh_options(option: Word) -> Iterator[str]:
    about = (option.help or option.label).replace("[", "\\[").replace("]", "\\]")
    for name in option.names:
        if option.takes == "nothing":
            yield f"{name}[{about}]"
        else:
            equals = "=" if name.startswith("--") else ""
            yield f"*{name}{equals}[{about}]:{_zsh_safe(option.label)}:{_zsh_action(option)}"


def _zsh_safe(text: str) -> str:
    return text.replace(":", "\\:")


def _zsh_action(word: Word) -> str:
    if word.choices and word.takes == "file":
        return f"{{compadd -- {' '.join(word.choices)}; _files}}"
    return f"({' '.join(word.choices)})" if word.choices else _ZSH_FILES[word.takes]


# --- PowerShell --------------------------------------------------------------------------------------------------------

_POWERSHELL = """\
# Completion of wayclear for PowerShell 5.1 and newer, made by `wayclear completion powershell`.
Register-ArgumentCompleter -Native -CommandName 'wayclear', 'wayclear.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # By the words of a command: what may follow, with its help.
    $commands = @{
<<COMMANDS>>
    }
    $options = @{
<<OPTIONS>>
    }
    # By the words of a command and an option: its values. None: PowerShell offers the names of files.
    $values = @{
<<VALUES>>
    }
    $path = ''
    $previous = ''
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.Extent.Text
        $longer = "$path $previous".Trim()
        if ($commands.ContainsKey($longer)) { $path = $longer }
    }
    $found = $commands[$path]
    if ($values.ContainsKey("$path $previous".Trim())) {
        $found = $values["$path $previous".Trim()]
    } elseif ($wordToComplete.StartsWith('-')) {
        $found = $options[$path]
    }
    foreach ($word in @($found.Keys)) {
        if ($word.StartsWith($wordToComplete)) {
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $found[$word])
        }
    }
}
"""


def powershell(commands: Sequence[CommandWords]) -> str:
    """A script for Windows PowerShell 5.1 and PowerShell 7. ASCII only, because 5.1 reads a pipe by the console's code page."""
    options, values, words = [], [], []
    for one in commands:
        offered = dict(one.below) or {c: word.label for word in one.operands[:1] for c in word.choices}
        words.append(_entry(one.path, offered))
        options.append(_entry(one.path, {name: o.help for o in one.options for name in o.names}))
        values += [
            _entry(f"{one.path} {name}".strip(), dict.fromkeys(option.choices, option.label))
            for option in one.options
            if option.takes != "nothing"
            for name in option.names
        ]
    return (
        _POWERSHELL.replace("<<COMMANDS>>", "\n".join(words))
        .replace("<<OPTIONS>>", "\n".join(options))
        .replace("<<VALUES>>", "\n".join(values))
    )


def _entry(key: str, offered: Mapping[str, str]) -> str:
    pairs = "; ".join(
        f"{_powershell_quoted(word)} = {_powershell_quoted(about or word)}" for word, about in offered.items()
    )
    return f"        {_powershell_quoted(key)} = [ordered]@{{ {pairs} }}"


def _powershell_quoted(text: str) -> str:
    """A text in single quotes, in which PowerShell expands nothing (about_Quoting_Rules)."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return "'" + plain.replace("'", "''") + "'"


#: By the shell's name: what makes its script.
SHELLS: Mapping[str, Callable[[Sequence[CommandWords]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "powershell": powershell,
}
