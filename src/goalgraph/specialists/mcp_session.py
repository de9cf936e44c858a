"""One session with an MCP server, held open by a task of its own, and opened anew after the server went away."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from goalgraph.errors import MissingExtra, ServerGone

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import ListToolsResult, Tool

__all__ = ["McpServer"]

T = TypeVar("T")

_CLOSED = -32000
"""Code of the MCP SDK for a connection that ended during a call."""
_MOST_PAGES = 1000


class McpServer:
    """A server of tools.

    Its session belongs to the event loop, and to the task, in which it was opened; calls may come from any task of that
    loop.
    """

    def __init__(self, name: str, connection: Mapping[str, object], *, open_timeout: float) -> None:
        """Take what ``langchain_mcp_adapters`` calls a connection; nothing is opened yet."""
        self.name = name
        self._connection = _complete(connection)
        self._open_timeout = open_timeout
        self._loop = asyncio.get_running_loop()
        self._opening = asyncio.Lock()
        self._session: ClientSession | None = None
        self._holder: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()

    async def tools(self) -> "tuple[Tool, ...]":
        """List all tools of the server.

        Raises:
            ServerGone: It cannot be reached.
        """
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self.call(partial(_page, cursor=cursor))
            found += page.tools
            cursor = page.nextCursor
            if not cursor:
                break
        return tuple(found)

    async def call(self, ask: "Callable[[ClientSession], Awaitable[T]]") -> T:
        """Ask something of the session; where the server had gone away before, a new session is opened.

        Nothing is asked twice: a question that was sent may have had its effect.

        Raises:
            ServerGone: The server cannot be reached, or went away meanwhile.
        """
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import McpError

        if asyncio.get_running_loop() is not self._loop:
            raise ServerGone(
                f"the session with the MCP server {self.name!r} belongs to another event loop",
                hint="use ainvoke or astream, inside of the block of mcp_specialists",
            )
        for is_last in (False, True):
            session, holder = await self._opened()
            try:
                return await _while_held(ask(session), holder)
            except ClosedResourceError as error:  # raised before anything is sent
                await self._drop(holder)
                if is_last:
                    raise self._gone() from error
            except (_Ended, BrokenResourceError) as error:
                await self._drop(holder)
                raise self._gone() from error
            except McpError as error:
                if error.error.code != _CLOSED:
                    raise
                await self._drop(holder)
                raise self._gone() from error
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """End the session, if there is one, and the server's process with it, where it is one of ours."""
        if self._holder is not None:
            await self._drop(self._holder)

    async def _drop(self, holder: "asyncio.Task[None]") -> None:
        """End a session, unless another has taken its place."""
        if self._holder is holder:
            self._session = None
            self._leave.set()
        # What a broken connection raises on its way out was told to whoever called, or concerns nobody.
        await asyncio.wait([holder])

    async def _opened(self) -> "tuple[ClientSession, asyncio.Task[None]]":
        async with self._opening:
            if self._session is None or self._holder is None or self._holder.done():
                await self.close()
                await self._open()
            assert self._session is not None
            assert self._holder is not None
            return self._session, self._holder

    async def _open(self) -> None:
        ready: asyncio.Future[ClientSession] = self._loop.create_future()
        self._leave = asyncio.Event()
        self._holder = asyncio.create_task(
            self._hold(ready, self._leave),
            name=f"MCP server {self.name}",
            context=Context(),  # that of the step for which a server happens to be started anew would outlive it
        )
        self._holder.add_done_callback(_looked_at)
        try:
            both: list[asyncio.Future[Any]] = [ready, self._holder]
            await asyncio.wait(both, timeout=self._open_timeout, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                self._session = ready.result()
                return
            failure = self._holder.exception() if self._holder.done() else None
        finally:
            if self._session is None:
                self._holder.cancel()
                await asyncio.wait([self._holder])
        if isinstance(failure, (MissingExtra, ValueError)):
            raise failure
        because = f": {_innermost(failure)}" if failure is not None else f" within {self._open_timeout:g} s"
        raise ServerGone(
            f"the MCP server {self.name!r} could not be opened{because}", hint="check its command, or its URL"
        ) from failure

    async def _hold(self, ready: "asyncio.Future[ClientSession]", leave: asyncio.Event) -> None:
        """Open, hold and close the session, all in one task, as anyio demands."""
        try:
            from langchain_mcp_adapters.sessions import create_session
        except ImportError as error:
            raise MissingExtra("a server of MCP tools", "mcp") from error
        async with create_session(cast("Any", self._connection)) as session:
            await session.initialize()
            if not ready.done():
                ready.set_result(session)
            await leave.wait()

    def _gone(self) -> ServerGone:
        return ServerGone(
            f"the MCP server {self.name!r} went away during the call", hint="it is started anew at the next call"
        )


async def _page(session: "ClientSession", *, cursor: str | None) -> "ListToolsResult":
    from mcp.types import PaginatedRequestParams

    return await session.list_tools(params=PaginatedRequestParams(cursor=cursor))


class _Ended(Exception):
    """The session ended while something was asked of it."""


async def _while_held(asking: Awaitable[T], holder: "asyncio.Task[None]") -> T:
    """Wait for an answer as long as the session is held: without it, none may ever come."""
    asked = asyncio.ensure_future(asking)
    asked.add_done_callback(_looked_at)
    try:
        await asyncio.wait([asked, holder], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
    finally:
        if not asked.done():
            asked.cancel()
            await asyncio.wait([asked])
    raise _Ended


def _complete(connection: Mapping[str, object]) -> dict[str, object]:
    """Add the transport, where it is plain, and the arguments of a command without any."""
    given = dict(connection)
    if "transport" not in given and ("command" in given) != ("url" in given):
        given["transport"] = "stdio" if "command" in given else "streamable_http"
    if given.get("transport") == "stdio":
        given.setdefault("args", [])
    return given


def _looked_at(over: "asyncio.Future[Any]") -> None:
    """Keep asyncio from complaining of an exception that nobody asked for."""
    if not over.cancelled():
        over.exception()


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
