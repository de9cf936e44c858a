"""A server of tools on stdio, as somebody else might have written it; run as a script."""

import os
import sys
from pathlib import Path

from mcp.server.fastmcp import Context, FastMCP, Image
from pydantic import BaseModel

server = FastMCP("math", log_level="ERROR")
journal = Path(sys.argv[1])


def note(text: str) -> None:
    with journal.open("a") as file:
        file.write(f"{text}\n")


note(f"started {os.getpid()}")


class Split(BaseModel):
    whole: int
    rest: int


@server.tool()
def add(a: int, b: int, note: str = "") -> int:
    """Adds two numbers.

    Nothing else.
    """
    return a + b


@server.tool()
def split(a: int, b: int) -> Split:
    """Divides with a rest."""
    return Split(whole=a // b, rest=a % b)


@server.tool(structured_output=False)
def say(text: str) -> str:
    """Says it."""
    note(f"said {text}")
    return f"<{text}>"


@server.tool(structured_output=False)
def draw() -> list[object]:
    """Draws a picture."""
    return ["a dot", Image(data=b"x", format="png")]


@server.tool()
def fail(why: str) -> str:
    """Fails."""
    raise ValueError(why)


@server.tool()
def die() -> str:
    """Ends the whole server."""
    note("dies")
    os._exit(3)


@server.tool(structured_output=False)
async def watch(context: Context) -> str:  # type: ignore[type-arg]
    """Tells how far it is, and which key it was given."""
    await context.report_progress(1, 2, "half")
    meta = context.request_context.meta  # pyright: ignore[reportUnknownMemberType]
    return str(meta.model_dump().get("goalgraph/idempotency-key")) if meta else "no meta"


if __name__ == "__main__":
    server.run("stdio")
