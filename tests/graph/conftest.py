"""What the graph's tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        yield saver


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Ctrl-C raise, also where the tests run in the background of a shell that has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
