"""Tools of MCP servers as specialists, one for each tool, over one session with each server."""

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue

from goalgraph.errors import InvalidInput, InvalidSpecialist, ToolFailed
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.json_schemas import schema_fault
from goalgraph.planner.checks.misfits import misfits
from goalgraph.specialists.mcp_session import McpServer
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from mcp.types import CallToolResult, Tool

__all__ = ["mcp_specialists"]

_KEY = "goalgraph/idempotency-key"
_RESULT = "result"
"""The one field in which servers put what is no object."""
_MAX_FIELDS = 12
_MAX_ERROR = 1000


@asynccontextmanager
async def mcp_specialists(
    servers: Mapping[str, Mapping[str, object]],
    *,
    read_only: Collection[str] = (),
    open_timeout: float = 30.0,
) -> AsyncGenerator[tuple[Specialist, ...]]:
    """Open sessions with MCP servers, and offer their tools as specialists named ``server.tool``.

    A step's ``input`` is what the tool is called with: it must fit the tool's JSON Schema, or the step fails with
    ``invalid_input`` before anything is called. What the tool gives back is the output: its structured content where
    there is some (of a field ``result`` alone, that field), else its text. The step's idempotency key is sent along, as
    ``_meta["goalgraph/idempotency-key"]``, for servers that heed it.

    There is one session for each server as long as the block lasts, for all runs in it. A server that dies fails the
    steps that are at it, with `ServerGone`, and is started anew for the next one; a call that was sent is not sent
    again unless the step's retry says so. The specialists work in the block's event loop only: use ``ainvoke`` and
    ``astream``.

    Args:
        servers: Connections by name, as ``langchain_mcp_adapters`` has them:
            ``{"math": {"command": "python", "args": ["math_server.py"]}}``, ``{"mail": {"url": "https://..."}}``.
        read_only: Tools, as ``server.tool``, or whole servers, that have no effects outside of the run. All others
            count as having some: what a server says of itself is not taken for it.
        open_timeout: Seconds for a server to start.

    Raises:
        MissingExtra: The extra ``mcp`` is not installed.
        ServerGone: A server cannot be opened.
        InvalidSpecialist: ``read_only`` names what is not there.
        ValueError: A connection lacks what its transport needs, or ``open_timeout`` is not positive.
    """
    if not 0 < open_timeout < float("inf"):
        raise ValueError(f"open_timeout must be seconds above 0, found {open_timeout!r}")
    async with AsyncExitStack() as stack:
        found: list[_ToolSpecialist] = []
        for name, connection in servers.items():
            server = McpServer(name, connection, open_timeout=open_timeout)
            stack.push_async_callback(server.close)
            found += [_ToolSpecialist(server, tool, read_only) for tool in await server.tools()]
        known = {*servers, *(one.card.name for one in found)}
        if strange := sorted(set(read_only) - known):
            raise InvalidSpecialist(
                f"read_only names {', '.join(map(repr, strange))}, which no server offers",
                hint=f"there are: {', '.join(sorted(known))}",
            )
        yield tuple(found)


class _ToolSpecialist:
    """A tool that does steps."""

    def __init__(self, server: McpServer, tool: "Tool", read_only: Collection[str]) -> None:
        self._server = server
        self._tool = tool.name
        self._input: dict[str, JsonValue] = tool.inputSchema
        self._is_wrapped, output = _unwrapped(tool.outputSchema)
        name = f"{server.name}.{tool.name}"
        self.card = SpecialistCard(
            name=name,
            description=_described(tool.description or tool.title or "", self._input),
            output_schema=output,
            effects=name not in read_only and server.name not in read_only,
        )

    def __repr__(self) -> str:
        return f"<specialist {self.card.name!r}>"

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Check the input, and call the tool with it; what it tells of its progress is the step's."""
        arguments = dict(task.input)
        if wrong := misfits(arguments, self._input):
            raise InvalidInput(f"the tool {self.card.name!r} cannot be called: {wrong}", hint="mend the step's input")
        here = copy_context()  # the session tells of progress in its own task

        async def told(progress: float, total: float | None, message: str | None) -> None:
            here.run(context.progress, message or "", min(max(progress / total, 0.0), 1.0) if total else None)

        meta: dict[str, Any] = {_KEY: context.idempotency_key} if context.idempotency_key else {}
        result = await self._server.call(
            lambda session: session.call_tool(self._tool, arguments, progress_callback=told, meta=meta or None)
        )
        text, others = _read(result)
        if result.isError:
            raise ToolFailed(
                f"the tool {self.card.name!r} failed: {' '.join(text.split())[:_MAX_ERROR] or 'no reason'}"
            )
        lost = (f"the tool also gave {', '.join(others)}, which is not kept",) if others else ()
        return StepResult(output=self._output(result, text), degraded=lost)

    def _output(self, result: "CallToolResult", text: str) -> object:
        structured = result.structuredContent
        if structured is None:
            return text
        return structured[_RESULT] if self._is_wrapped and structured.keys() == {_RESULT} else structured


def _read(result: "CallToolResult") -> tuple[str, tuple[str, ...]]:
    """Return the text of a result, and what else is in it, by kind."""
    texts: list[str] = []
    others: dict[str, None] = {}
    for block in result.content:
        text: object = getattr(block, "text", None)
        if text is None:
            text = getattr(getattr(block, "resource", None), "text", None)
        if isinstance(text, str):
            texts.append(text)
        elif (uri := getattr(block, "uri", None)) is not None:
            texts.append(str(uri))
        else:
            others[block.type] = None
    return "\n".join(texts), tuple(others)


def _unwrapped(schema: dict[str, Any] | None) -> tuple[bool, dict[str, JsonValue] | None]:
    """Return whether an output stands in a field of its own, and its schema; None where there is none to be used."""
    if schema is None or schema_fault(schema):
        return False, None
    fields = cast("dict[str, dict[str, JsonValue]]", schema.get("properties") or {})
    if fields.keys() != {_RESULT} or not isinstance(cast("object", fields[_RESULT]), dict):
        return False, schema
    definitions: dict[str, JsonValue] = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return True, {**fields[_RESULT], **definitions}


def _described(about: str, schema: Mapping[str, JsonValue]) -> str:
    """Say what a tool does, and what a step's input for it is."""
    fields = list(_fields(schema))
    more = len(fields) - _MAX_FIELDS
    told = ", ".join(fields[:_MAX_FIELDS]) + (f" and {more} more" if more > 0 else "")
    return " ".join(filter(None, (" ".join(about.split()), f"Its input: {told}." if told else "It takes no input.")))


def _fields(schema: Mapping[str, JsonValue]) -> Iterator[str]:
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, field in properties.items() if isinstance(properties, dict) else ():
        kind = field.get("type") if isinstance(field, dict) else None
        facts = [kind] if isinstance(kind, str) else []
        facts += [] if name in needed else ["optional"]
        yield f"{name} ({', '.join(facts)})" if facts else name
