"""What an error of a checkpointer means: that it is busy, that what it holds is damaged, or neither."""

import pickle
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from traceback import walk_tb

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import get_checkpoint_id

from goalgraph.errors import CorruptRun, MissingThread

__all__ = ["PAUSE_SECONDS", "Patience", "reading"]

PAUSE_SECONDS = 0.05
"""Between two tries."""
_PATIENCE_SECONDS = 60.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNREADABLE = (AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError, pickle.PickleError)
"""What damaged rows raise when they are read; what connections raise is none of these."""


class Patience:
    """Decides how long what fails because another process holds the database is tried again."""

    def __init__(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """Args: how long, from the first failure."""
        self._seconds = seconds
        self._until: float | None = None

    def outlasts(self, error: Exception) -> bool:
        """Whether to try again after this error."""
        if not _is_busy(error):
            return False
        if self._until is None:
            self._until = monotonic() + self._seconds
        return monotonic() < self._until


def _is_busy(error: Exception) -> bool:
    """Whether another connection holds a SQLite database, beyond the time that this one waits for it."""
    code: object = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError) and isinstance(code, int) and code & 0xFF in _BUSY


@contextmanager
def reading(config: RunnableConfig) -> Generator[None]:
    """Say in our own words that what is stored cannot be read; connection errors pass as they are.

    Raises:
        MissingThread: The config does not say what is to be read.
        CorruptRun: It cannot be read.
    """
    if "thread_id" not in config.get("configurable", {}):
        raise MissingThread
    try:
        yield
    except CorruptRun:
        raise
    except Exception as error:
        if not _is_damage(error):
            raise
        said = " ".join(str(error).split())[:500]
        raise CorruptRun(
            f"reading it raised {type(error).__name__}{': ' + said if said else ''}",
            thread=str(config.get("configurable", {}).get("thread_id")),
            checkpoint=get_checkpoint_id(config),
        ) from error


def _is_damage(error: Exception) -> bool:
    # SQLite's own words for damage are errors of this very class; locks, full disks and closed connections are not.
    if type(error) is sqlite3.DatabaseError:
        return True
    if isinstance(error, NotImplementedError):
        return str(error).startswith("Unknown serialization type")
    return isinstance(error, _UNREADABLE) and not _is_of_closed_connection(error)


def _is_of_closed_connection(error: Exception) -> bool:
    """Whether an error comes from the async SQLite driver, which says by a plain ValueError that it is closed."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return bool(frames) and str(frames[-1].f_globals.get("__name__")).startswith("aiosqlite")
