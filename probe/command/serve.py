"""`wayclear serve`: run the audit as a service until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from probe.command import common
from probe.command.options import Judging, Measuring, add_verbose
from probe.command.parser import Parser, non_blank
from probe.config.rule_files import is_file_name
from probe.config.service import LISTEN, listen_fault
from probe.config.settings import Config, check_only, default_path, load_config, load_rules_of
from probe.config.watched_files import Options
from probe.errors import CommandError
from probe.history.place import default_path as default_history
from probe.host import interpreter, log_lines, standard_streams
from probe.host.files import read_toml
from probe.serve.daemon import Daemon
from probe.web.exporter_toolkit import WebConfigFile
from probe.web.listen import check_exposure, parse_addresses
from rules.files.fields import BadFile
from rules.model.ruleset import Rules
from rules.text.display import display

#: Seconds that threads may still run after everything else has ended.
LAST = 0.5


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says. None and (): the option was not given."""

    judging: Judging
    measuring: Measuring
    overlay: str | None
    listen: tuple[str, ...]
    web_config_file: str | None
    allow_insecure: bool
    allow_root: bool
    state: str | None
    textfile: str | None
    check: bool


def add_options(parser: Parser) -> None:
    parser.description = "Measures again and again, gently, and tells Prometheus and people what it finds."
    add_verbose(parser)
    Judging.add_to(parser)
    Measuring.add_to(parser, budget=False)
    add = parser.add_argument
    add("--overlay", metavar="FILE", type=non_blank, help="a second configuration whose keys win")
    add(
        "--listen",
        metavar="ADDRESS:PORT",
        action="append",
        type=non_blank,
        help="default 127.0.0.1:19115; may be given again",
    )
    add(
        "--web.config.file",
        dest="web_config_file",
        metavar="FILE",
        type=non_blank,
        help="TLS and users, in exporter-toolkit's format",
    )
    add(
        "--allow-insecure",
        action="store_true",
        help="listen elsewhere than on loopback without TLS and users",
    )
    add("--allow-root", action="store_true", help="run as root")
    add("--state", metavar="DIR", type=non_blank, help="where the history is kept")
    add("--textfile", metavar="DIR", type=non_blank, help="also write wayclear.prom for a textfile collector")
    add("--check", action="store_true", help="only check configuration, rules and directories")


def parsed(arguments: argparse.Namespace) -> ServeOptions:
    return ServeOptions(
        Judging.parsed(arguments),
        Measuring.parsed(arguments),
        arguments.overlay,
        tuple(arguments.listen or ()),
        arguments.web_config_file,
        arguments.allow_insecure,
        arguments.allow_root,
        arguments.state,
        arguments.textfile,
        arguments.check,
    )


@common.convert_bad_file()
def run(options: ServeOptions) -> int:
    """Run until a signal ends it. CommandError if the service cannot start."""
    config, rules = load(options)
    _refuse_root(options.allow_root)
    _refuse_file(config.serve.textfile)
    if options.check:
        _check_places(config)
        standard_streams.write_output(f"{display(config.source or 'the defaults', 1024)}: ok\n", "utf-8")
        return 0
    log_lines.log_to(sys.stderr)
    interpreter.configure()
    watched = Options(
        lambda: load(options), lambda c: _files(options, c), allow_insecure=options.allow_insecure
    )

    async def whole() -> int:
        code = await Daemon(watched, config, rules).run()
        # asyncio would wait without limit for a thread that hangs, for example on a disk that does not answer
        last = threading.Timer(LAST, os._exit, (code,))
        last.daemon = True
        last.start()
        return code

    return asyncio.run(whole())


def load(options: ServeOptions) -> tuple[Config, Rules]:
    """Configuration and rules, first from the files, then from the command line. BadFile or CommandError for a fault."""
    config = _config(options)
    serve_part = config.serve
    web = serve_part.web
    if options.listen:
        for text in options.listen:
            if why := listen_fault(text):
                raise CommandError(f"--listen: {why}", f"example: --listen {LISTEN[0]}")
        web = replace(web, listen=options.listen)
    if options.web_config_file:
        web = replace(web, config_file=options.web_config_file)
    serve_part = replace(serve_part, web=web)
    if options.state:
        serve_part = replace(serve_part, history_path=os.path.join(options.state, "history.sqlite"))  # noqa: PTH118  # text
    if options.textfile:
        serve_part = replace(serve_part, textfile=options.textfile)
    given = (*(options.judging.rules or ()), *(options.judging.ca_sets or ()))
    made, rules = replace(config, serve=serve_part), load_rules_of(config, given)
    _check(made, rules, options.allow_insecure)
    return made, rules


def _config(options: ServeOptions) -> Config:
    settings = {**options.judging.settings, **options.measuring.settings}
    return load_config(options.judging.config, settings, overlay=options.overlay)


def _check(config: Config, rules: Rules, allow_insecure: bool) -> None:
    """BadFile or CommandError if a service with this configuration could not start."""
    check_only("only", config, rules)
    web = config.serve.web
    loaded = WebConfigFile(web.config_file).current() if web.config_file else None
    check_exposure(parse_addresses(web.listen), loaded.config if loaded is not None else None, allow_insecure)


def _refuse_file(textfile: str | None) -> None:
    """CommandError if the textfile's directory is not a directory. It may be missing: somebody may make it later."""
    if textfile and os.path.exists(textfile) and not os.path.isdir(textfile):  # noqa: PTH110, PTH112  # never raise
        raise CommandError(
            f"the textfile's directory {textfile} is a file", "name the directory, wayclear.prom is put in it"
        )


def _check_places(config: Config) -> None:
    """CommandError for a directory that cannot be used: the service would start and fail to write later."""
    if textfile := config.serve.textfile:
        if not os.path.isdir(textfile):  # noqa: PTH112  # never raises
            raise CommandError(
                f"the textfile's directory {textfile} is none that is seen", "make it, or name another one"
            )
        _try_to_write("the textfile's directory", Path(textfile))
    history = Path(config.serve.history_path or default_history(os.environ)).absolute()
    if os.path.isdir(history):  # noqa: PTH112
        raise CommandError(f"the history {history} is a directory", "name a file in it")
    if os.path.exists(history) and not os.access(history, os.R_OK | os.W_OK):  # noqa: PTH110
        raise CommandError(
            f"the history {history} may not be written", "give it to this account, or name another"
        )
    # the service makes missing directories when it starts
    _try_to_write("the state directory", next(one for one in history.parents if os.path.exists(one)))  # noqa: PTH110


def _try_to_write(what: str, directory: Path) -> None:
    """Make a file and remove it: that tests permissions, read-only file systems and everything else."""
    probe = directory / f".wayclear-check-{os.getpid()}"
    try:
        with probe.open("x"):
            pass
        probe.unlink()
    except OSError as error:
        raise CommandError(
            f"{what}: in {directory} no file can be made: {error.strerror or error}",
            "give it to this account, or name another one",
        ) from error


def _files(options: ServeOptions, config: Config | None) -> tuple[str, ...]:
    """All files that a reload reads with `config` (None: with the configuration in the files now). Waits for the disk."""
    found = [
        options.judging.config or default_path(os.environ),
        *([options.overlay] if options.overlay else ()),
    ]
    with contextlib.suppress(Exception):  # the reload reports what is wrong
        found += _named(config or _config(options))
    return tuple(dict.fromkeys(found))


def _named(config: Config) -> list[str]:
    stores = [path for path in (config.public_roots, config.os_store) if path]
    return stores + [path for name in (*config.rules, *config.ca_sets) for path in _with_bases(name)]


def _with_bases(name: str) -> list[str]:
    """The file of a rule set or CA set and the files that it extends; nothing for a shipped one."""
    found: list[str] = []
    with contextlib.suppress(BadFile):
        while is_file_name(name) and name not in found:  # the loader reports a circle
            found.append(name)
            base = read_toml(name).data.get("extends")
            name = str(Path(name).parent / base) if isinstance(base, str) and is_file_name(base) else ""
    return found


def _refuse_root(allowed: bool) -> None:
    if not allowed and hasattr(os, "geteuid") and os.geteuid() == 0:
        raise CommandError(
            "serve: as root it would run for months with rights that it does not need",
            "use an account of its own (docs/install.md has the systemd unit), or say --allow-root",
        )
