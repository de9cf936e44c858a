"""Every kind of checkpointer that LangGraph has, opened for a test."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

__all__ = ["KINDS", "opened"]

KINDS = (
    "memory",
    "sqlite",
    "async sqlite",
    "postgres",
    "postgres pool",
    "async postgres",
    "async postgres pool",
)
"""Those of PostgreSQL have its name in theirs."""

_AS_SAVERS_NEED = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}


@asynccontextmanager
async def opened(kind: str, folder: Path, database: Callable[[], str]) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """Open a checkpointer of a kind, ready to use; an async one belongs to the running loop.

    Args:
        kind: One of `KINDS`.
        folder: For files.
        database: Tells how to connect to PostgreSQL, where it is wanted.
    """
    file = str(folder / "run.sqlite")
    if kind == "memory":
        yield InMemorySaver()
    elif kind == "sqlite":
        with SqliteSaver.from_conn_string(file) as sqlite:
            yield sqlite
    elif kind == "async sqlite":
        async with AsyncSqliteSaver.from_conn_string(file) as async_sqlite:
            yield async_sqlite
    elif kind == "postgres":
        with PostgresSaver.from_conn_string(database()) as postgres:
            postgres.setup()
            yield postgres
    elif kind == "postgres pool":
        with ConnectionPool[Any](database(), min_size=1, kwargs=_AS_SAVERS_NEED, open=True) as pool:
            pooled = PostgresSaver(pool)
            pooled.setup()
            yield pooled
    elif kind == "async postgres":
        async with AsyncPostgresSaver.from_conn_string(database()) as async_postgres:
            await async_postgres.setup()
            yield async_postgres
    else:
        async with AsyncConnectionPool[Any](database(), min_size=1, kwargs=_AS_SAVERS_NEED, open=False) as async_pool:
            async_pooled = AsyncPostgresSaver(async_pool)
            await async_pooled.setup()
            yield async_pooled
