"""The command of this process: what it is given is done, and whatever happens becomes an exit code."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress

import typer

from goalgraph.cli.commands import app
from goalgraph.cli.endings import Stopped, debugging, report
from goalgraph.cli.terminal import steady_streams

__all__ = ["app", "call", "main"]


def main() -> int:
    """Run the command of this process and return its exit code."""
    if not debugging():
        logging.disable()
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda _: None
        threading.excepthook = lambda _: None
    code = call(sys.argv[1:])
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        os._exit(code)  # a step that timed out or was stopped may block its thread for ever
    return code


def call(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors become one line on stderr."""
    try:
        with steady_streams():
            try:
                command = typer.main.get_command(app)
                code: object = command.main([*arguments] or ["--help"], prog_name="goalgraph", standalone_mode=False)
                return code if isinstance(code, int) else 0
            except Stopped as stopped:
                sys.stderr.write("stopped; nothing was run\n")
                return stopped.exit_code
            except Exception as error:
                return report(error)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return report(error)
