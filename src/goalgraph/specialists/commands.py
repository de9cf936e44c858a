"""A check of results by a command, such as the tests of the code that a specialist has changed."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pydantic import JsonValue

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.outcome import text_of
from goalgraph.specialists.assessing import Assessment, Assessor
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

__all__ = ["passes"]

_TAIL = 1_500
"""Characters that are kept of what a command prints."""

_MOST_PRINTED = 50_000_000
"""Bytes."""

_LOOK = 0.2
"""Seconds between looks at how much has been printed."""


def passes(command: Sequence[str], *, cwd: str | Path | None = None, timeout: float = 60.0) -> Assessor:
    """Return an assessor that is sure of results for which a command exits with 0: 1.0, else 0.0.

    The reason is the end of what it prints. It reads the output, as text, from its standard input, and nothing of the
    output is part of the command. It runs with the rights and the environment of this process, without a shell, in a
    process group of its own, which is ended with it: also where it takes too long, prints more than 50 MB, or the step
    is cancelled. One that cannot be started leaves the confidence unknown.

    Args:
        command: The program and its arguments, such as ``["pytest", "-q"]``; the caller's own words.
        cwd: Folder that it runs in; None: this process's.
        timeout: Seconds; a command that has not ended by then has not passed.

    Raises:
        InvalidSpecialist: The command is no list of words, or the time no number above 0.
    """
    if isinstance(command, str) or not command or not all(isinstance(cast("object", word), str) for word in command):
        raise InvalidSpecialist(
            f"the command of passes() is {command!r}", hint="write a list of words, such as ['pytest', '-q']"
        )
    if not 0 < timeout < float("inf"):
        raise InvalidSpecialist(f"the timeout of passes() is {timeout!r}", hint="give seconds above 0")
    return _Passes(tuple(command), None if cwd is None else Path(cwd), timeout)


@dataclass(frozen=True, slots=True)
class _Passes:
    command: tuple[str, ...]
    cwd: Path | None
    timeout: float

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment:
        text = text_of(cast("JsonValue", result.output)).encode("utf-8", "replace")
        # Files, not pipes: what a command leaves behind may hold a pipe open, and nobody need read while it prints.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
            await asyncio.to_thread(_put, given, text)
            fault = await self._run(given, printed)
            return (
                Assessment(confidence=0.0, reason=f"{fault}: {_tail(printed)}") if fault else Assessment(confidence=1)
            )

    async def _run(self, given: IO[bytes], printed: IO[bytes]) -> str:
        """Say why the command did not pass; empty where it did."""
        process = await asyncio.create_subprocess_exec(
            *self.command, stdin=given, stdout=printed, stderr=printed, cwd=self.cwd, start_new_session=True
        )
        ended = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(self.timeout):
                while not (await asyncio.wait({ended}, timeout=_LOOK))[0]:
                    if os.fstat(printed.fileno()).st_size > _MOST_PRINTED:
                        return f"{self.command[0]!r} printed more than {_MOST_PRINTED} bytes"
        except TimeoutError:
            return f"{self.command[0]!r} had not ended after {self.timeout:g} s"
        finally:
            _end(process)
            await asyncio.shield(ended)
        return f"{self.command[0]!r} exited with {ended.result()}" if ended.result() else ""


def _put(file: IO[bytes], text: bytes) -> None:
    file.write(text)
    file.seek(0)


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 4 * _TAIL))
    return file.read().decode("utf-8", "replace").strip()[-_TAIL:] or "it printed nothing"


def _end(process: asyncio.subprocess.Process) -> None:
    """End a process with its group; also where it has ended itself, since others of the group may not have."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
