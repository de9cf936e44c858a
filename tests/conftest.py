"""What tests of every folder share."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from tests.checkpointers import KINDS, opened
from tests.postgres import NoServer, Server, running


@pytest.fixture(autouse=True)
def _every_server_is_new() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """No test heeds what a server has told another one about too many requests."""
    yield
    if (client := sys.modules.get("goalgraph.paced_client")) is not None:
        client.forget_paces()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server that a test may kill and start again."""
    try:
        with running() as server:
            yield server
    except NoServer as error:
        said = f"no PostgreSQL server can be had: {error}"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(said)
        pytest.skip(said)


@pytest.fixture
def postgres(postgres_server: Server) -> str:
    """How to connect to a new, empty PostgreSQL database."""
    return postgres_server.new_database()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.replace(" ", "-"))
async def checkpointer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Each kind of checkpointer, empty."""
    async with opened(request.param, tmp_path, lambda: cast("str", request.getfixturevalue("postgres"))) as saver:
        yield saver
