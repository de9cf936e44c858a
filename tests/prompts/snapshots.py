"""What models really received, kept as files beside the tests.

``GOALGRAPH_SNAPSHOTS=write pytest tests/prompts`` writes the files anew; look at the difference before it is committed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from langchain_core.messages import BaseMessage

FOLDER = Path(__file__).parent / "snapshots"
VARIABLE = "GOALGRAPH_SNAPSHOTS"


def shown(calls: Sequence[Sequence[BaseMessage]]) -> str:
    """Write the messages of several calls as Markdown."""
    parts = [
        f"<!-- call {number}, {message.type} -->\n{message.text}"
        for number, messages in enumerate(calls, 1)
        for message in messages
    ]
    return "\n\n".join(parts) + "\n"


def assert_received(name: str, calls: Sequence[Sequence[BaseMessage]]) -> None:
    """Compare what a model received with the file of that name, or write the file where that is asked for."""
    path = FOLDER / f"{name}.md"
    if os.environ.get(VARIABLE) == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown(calls), "utf-8", newline="\n")
    told = path.read_text("utf-8") if path.is_file() else ""
    assert shown(calls) == told, f"{path.name} differs; {VARIABLE}=write pytest tests/prompts writes it anew"
