"""`wayclear serve` and `wayclear history` as commands: options in, a running service or a text out."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from probe.config.rule_files import is_file_name
from probe.config.service import LISTEN, bad_listen
from probe.config.settings import Config, default_path, load_config, load_rules
from probe.config.watched_files import Options
from probe.errors import Trouble, one_line
from probe.host import interpreter, terminal
from probe.host.files import read_toml
from rules.files.fields import BadFile
from rules.model.ruleset import Rules
from rules.text.display import display

LOG = logging.getLogger("wayclear")
#: Characters of one event's text (row U5 of the hostile inputs).
MOST_LOGGED = 8192
#: Seconds that threads have for their end when everything else has come to it.
LAST = 0.5


def serve(arguments: argparse.Namespace) -> int:
    """Run until a signal ends it. Trouble for everything that keeps it from beginning."""
    config, rules = load(arguments)
    _refuse_root(arguments.allow_root)
    _refuse_file(config.serve.textfile)
    if arguments.check:
        _check_places(config)
        terminal.put(f"{display(config.source or 'the defaults', 1024)}: ok\n", "utf-8")
        return 0
    _log_to(sys.stderr)
    interpreter.settle()
    interpreter.settle_collector()
    interpreter.settle_threads()
    from probe.serve.daemon import Daemon  # late: brings the scheduler and the web server

    options = Options(
        lambda: load(arguments), lambda c: _files(arguments, c), allow_insecure=arguments.allow_insecure
    )

    async def whole() -> int:
        code = await Daemon(options, config, rules).run()
        # a thread that hangs, on a disk that does not answer for one, would be waited for without an end
        last = threading.Timer(LAST, os._exit, (code,))
        last.daemon = True
        last.start()
        return code

    return asyncio.run(whole())


def load(arguments: argparse.Namespace) -> tuple[Config, Rules]:
    """Configuration and rules, from the files and then from the command line. BadFile or Trouble for what is wrong."""
    config = _config(arguments)
    serve_part = config.serve
    web = serve_part.web
    if arguments.listen:
        for text in arguments.listen:
            if why := bad_listen(text):
                raise Trouble(f"--listen: {why}", f"example: --listen {LISTEN[0]}")
        web = replace(web, listen=tuple(arguments.listen))
    if arguments.web_config_file:
        web = replace(web, config_file=arguments.web_config_file)
    serve_part = replace(serve_part, web=web)
    if arguments.state:
        serve_part = replace(serve_part, history_path=os.path.join(arguments.state, "history.sqlite"))  # noqa: PTH118  # text
    if arguments.textfile:
        serve_part = replace(serve_part, textfile=arguments.textfile)
    made, rules = replace(config, serve=serve_part), load_rules(config.rules, config.ca_sets)
    _check(made, rules, arguments.allow_insecure)
    return made, rules


def _config(arguments: argparse.Namespace) -> Config:
    said = {
        "tenant": arguments.tenant,
        "rules": arguments.rules,
        "ca_sets": arguments.ca_set,
        "resolvers": arguments.resolver,
        "pace": arguments.pace,
    }
    return load_config(arguments.config, said, overlay=arguments.overlay)


def _check(config: Config, rules: Rules, allow_insecure: bool) -> None:
    """BadFile or Trouble for what would keep a service with this configuration from beginning."""
    from probe.command.common import check_only  # late: that one imports this
    from probe.web.exporter_toolkit import WebConfigFile
    from probe.web.listen import check_exposure, places

    check_only("only", config, rules)
    web = config.serve.web
    loaded = WebConfigFile(web.config_file).current() if web.config_file else None
    check_exposure(places(web.listen), loaded.config if loaded is not None else None, allow_insecure)


def _refuse_file(textfile: str | None) -> None:
    """Trouble where the textfile's directory is something else. One that is not there yet may come."""
    if textfile and os.path.exists(textfile) and not os.path.isdir(textfile):  # noqa: PTH110, PTH112  # never raise
        raise Trouble(
            f"the textfile's directory {textfile} is a file", "name the directory, wayclear.prom is put in it"
        )


def _check_places(config: Config) -> None:
    """Trouble for directories that cannot be used: the service would begin, and complain later."""
    from probe.history.writer import default_path as history_path

    if textfile := config.serve.textfile:
        if not os.path.isdir(textfile):  # noqa: PTH112  # never raises, whoever may not look
            raise Trouble(
                f"the textfile's directory {textfile} is none that is seen", "make it, or name another one"
            )
        _try_to_write("the textfile's directory", Path(textfile))
    history = Path(config.serve.history_path or history_path(os.environ)).absolute()
    if os.path.isdir(history):  # noqa: PTH112
        raise Trouble(f"the history {history} is a directory", "name a file in it")
    if os.path.exists(history) and not os.access(history, os.R_OK | os.W_OK):  # noqa: PTH110
        raise Trouble(f"the history {history} may not be written", "give it to this account, or name another")
    # what is not there is made at the start
    _try_to_write("the state directory", next(one for one in history.parents if os.path.exists(one)))  # noqa: PTH110


def _try_to_write(what: str, directory: Path) -> None:
    """Make a file and remove it: rights, read-only file systems and what else there is all speak by that."""
    probe = directory / f".wayclear-check-{os.getpid()}"
    try:
        with probe.open("x"):
            pass
        probe.unlink()
    except OSError as error:
        raise Trouble(
            f"{what}: in {directory} no file can be made: {error.strerror or error}",
            "give it to this account, or name another one",
        ) from error


def _files(arguments: argparse.Namespace, config: Config | None) -> tuple[str, ...]:
    """Everything that a reload reads by `config`, or by what stands in the files now. Waits for the disk."""
    found = [
        arguments.config or default_path(os.environ),
        *([arguments.overlay] if arguments.overlay else ()),
    ]
    with contextlib.suppress(Exception):  # whatever is wrong with it, the reload says
        found += _named(config or _config(arguments))
    return tuple(dict.fromkeys(found))


def _named(config: Config) -> list[str]:
    stores = [path for path in (config.public_roots, config.os_store) if path]
    return stores + [path for name in (*config.rules, *config.ca_sets) for path in _with_bases(name)]


def _with_bases(name: str) -> list[str]:
    """A rule set's or CA set's file and those that it extends; none of one that is shipped."""
    found: list[str] = []
    with contextlib.suppress(BadFile):
        while is_file_name(name) and name not in found:  # a circle is told by whoever loads them
            found.append(name)
            base = read_toml(name).data.get("extends")
            name = str(Path(name).parent / base) if isinstance(base, str) and is_file_name(base) else ""
    return found


def _refuse_root(allowed: bool) -> None:
    if not allowed and hasattr(os, "geteuid") and os.geteuid() == 0:
        raise Trouble(
            "serve: as root it would run for months with rights that it does not need",
            "use an account of its own (docs/install.md has the systemd unit), or say --allow-root",
        )


class _Lines(logging.Formatter):
    """One line for each event, in logfmt; text of peers harmless (rows G4 and U5 of the hostile inputs)."""

    def format(self, record: logging.LogRecord) -> str:
        text = display(one_line(record.getMessage()), MOST_LOGGED)
        if record.exc_info:
            text += " | " + display(_calls(self.formatException(record.exc_info)), MOST_LOGGED)
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        when = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return f'ts={when} level={record.levelname.lower()} msg="{quoted}"'


def _calls(trace: str) -> str:
    """A traceback as one line."""
    return " | ".join(line.strip() for line in trace.split("\n") if line.strip())


def _log_to(stream: TextIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    LOG.handlers = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    scheduler = logging.getLogger("apscheduler")
    scheduler.handlers, scheduler.propagate = [handler], False
    scheduler.setLevel(logging.ERROR)
    main = logging.getLogger("asyncio")
    main.handlers, main.propagate = [handler], False


def history(arguments: argparse.Namespace) -> int:
    """What changed, and what was ever seen."""
    # late, like everything that one command alone needs
    from exporters.terminal.style import Style
    from probe.history.reader import history_command
    from probe.history.writer import default_path as history_path

    config = load_config(arguments.config)
    path = arguments.state and os.path.join(arguments.state, "history.sqlite")  # noqa: PTH118  # text
    path = path or config.serve.history_path or history_path(os.environ)
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    as_json = arguments.format == "json"
    style = Style(terminal.terminal_width(sys.stdout), encoding=encoding)
    text = history_command(path, arguments.endpoint, arguments.since, as_json, time.time(), style)
    terminal.put(text, "utf-8" if as_json else encoding)
    return 0
