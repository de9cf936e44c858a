"""Texts that somebody edits: in an editor of their own, else given as a line or a file."""

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from goalgraph.cli.endings import BadInput
from goalgraph.cli.terminal import Terminal

__all__ = ["edit_text"]


def edit_text(text: str, name: str, terminal: Terminal) -> str | None:
    """Let somebody edit a text in the editor of ``VISUAL`` or ``EDITOR``; without one, ask for it, or for its file.

    Args:
        text: To begin with.
        name: Of the file; editors go by its ending.
        terminal: Where it is asked for.

    Returns:
        The text as it is to be; None: none was given.

    Raises:
        BadInput: The editor cannot be started or failed, or the file cannot be read.
    """
    command = next((found for one in ("VISUAL", "EDITOR") if (found := os.environ.get(one, "").strip())), None)
    if command is not None:
        return _edited(text, name, command)
    given = (terminal.ask(f"The edited {name}, as JSON or by the path of a file (or set EDITOR):") or "").strip()
    if not given:
        return None
    return given if given.startswith("{") else _read(Path(given))


def _edited(text: str, name: str, command: str) -> str:
    with TemporaryDirectory(prefix="goalgraph-") as folder:  # which nobody else may read
        path = Path(folder) / name
        path.write_text(text, "utf-8")
        try:
            code = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot edit with {command!r}: {error}", hint="set EDITOR to another one") from error
        if code:
            raise BadInput(f"the editor {command!r} ended with code {code}", hint="set EDITOR to another one")
        return _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {str(path)!r}: {error.strerror}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{str(path)!r} is not UTF-8 text", hint="save it as UTF-8") from error
