"""Where the checkpoints of a run are kept."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

__all__ = ["are_durable", "opened"]


def are_durable() -> bool:
    """Whether checkpoints outlive the process: the extra that stores them is there."""
    return find_spec("langgraph.checkpoint.sqlite") is not None


@contextmanager
def opened(path: Path) -> "Generator[BaseCheckpointSaver[Any]]":
    """Open the checkpoints, which only their owner may read: they hold goals, data and answers.

    Without the extra that stores them they are kept as long as the process lives, for steps that ask.
    """
    try:
        from langgraph.checkpoint.sqlite import SqliteSaver
    except ImportError:
        yield InMemorySaver()
        return
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()
