"""What really happened, in a file beside the database: a line for each thing done, which no crash takes back."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

__all__ = ["Ledger", "Line", "read_ledger"]

Event = Literal["start", "end", "fail", "ask", "answer", "taken"]
"""A specialist begins, has done, or failed at a step; somebody sees a question, is about to answer it, and is told that
the answer was taken."""

_EVENTS: tuple[str, ...] = get_args(Event)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was done."""

    event: Event
    step: str
    """Id of the step; ``-`` for the plan."""
    number: int
    """Which attempt at the step, or which of its questions; from 1, or from 0."""
    key: str
    """Idempotency key of the step, or id of the request."""
    token: str = "-"
    """What is said; no two answers have the same."""

    def __str__(self) -> str:
        return f"{self.event} {self.step} {self.number} {self.key} {self.token}"

    @classmethod
    def read(cls, text: str) -> "Line":
        """Read what ``str`` gave."""
        event, step, number, key, token = text.split(" ")
        if event not in _EVENTS:
            raise ValueError(f"no event of a ledger: {text!r}")
        return cls(cast("Event", event), step, int(number), key, token)


class Ledger:
    """Writes a file to its end, each line at once: a process that is killed leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        """How many lines this process has written."""
        self.at: tuple[int, Callable[[], None]] | None = None
        """What is to happen after so many of them, while whoever has written the last one waits."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, line: Line) -> None:
        text = f"{line}\n"
        if text.count(" ") != 4:
            raise ValueError(f"a space inside of a field: {text!r}")
        os.write(self._file, text.encode())
        self.written += 1
        if self.at is not None and self.at[0] == self.written:
            self.at[1]()

    def close(self) -> None:
        os.close(self._file)


def read_ledger(path: Path) -> tuple[Line, ...]:
    """Read all lines."""
    return tuple(map(Line.read, path.read_text().splitlines())) if path.exists() else ()
