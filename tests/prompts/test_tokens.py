import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import JsonValue

from goalgraph.prompts import count_message_tokens, count_tokens

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        (PROSE * 10, 170, 230),
        ('{"id": 1, "rows": [10, 20, 30]}', 14, 24),
        ("日本語の文章です", 5, 12),
        ("\ud800\x00", 1, 4),
    ],
    ids=["empty", "prose", "json", "japanese", "unencodable"],
)
def test_a_count_is_near_what_tokenizers_count(text: str, low: int, high: int) -> None:
    assert low <= count_tokens(text) <= high


def test_a_model_unknown_to_tiktoken_is_counted_too() -> None:
    assert count_tokens(PROSE, "some-other-model") == count_tokens(PROSE)


COUNT = "from goalgraph.prompts import count_tokens; print(count_tokens('one two three', 'gpt-4o'))"


def run_alone(code: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TIKTOKEN_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_without_a_vocabulary_nothing_is_fetched_and_the_estimate_is_mentioned_once(tmp_path: Path) -> None:
    code = (
        "import logging, socket, sys\n"
        "logging.basicConfig()\n"
        "def refuse(*args, **kwargs):\n    print('FETCHED', file=sys.stderr)\n    raise OSError\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        f"{COUNT}\n{COUNT}\nprint(count_tokens('one', 'gpt-4'))"  # whose vocabulary is another one
    )
    done = run_alone(code, tmp_path)
    assert done.stdout.split() == ["4", "4", "1"]
    assert "FETCHED" not in done.stderr
    assert done.stderr.count("tokens are estimated") == 1


TEXT = "one two three"
SIZE = count_tokens(TEXT)
QUERY: JsonValue = {"type": "object", "properties": {"query": {"type": "string"}}}
SCHEMA: dict[str, JsonValue] = {"name": "find", "parameters": QUERY}
CALL = AIMessage("", tool_calls=[{"name": "find", "args": {"query": TEXT}, "id": "1"}])


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ([], 3),
        ([HumanMessage(TEXT)], 3 + 4 + SIZE),
        ([SystemMessage(TEXT), HumanMessage(TEXT)], 3 + 2 * (4 + SIZE)),
        ([HumanMessage(TEXT, name="ann")], 3 + 4 + SIZE + 1 + count_tokens("ann")),
        ([HumanMessage([{"type": "text", "text": TEXT}])], 3 + 4 + SIZE),
        ([HumanMessage([{"type": "image_url", "image_url": {"url": "data:" + "x" * 9000}}])], 3 + 4 + 765),
        ([CALL], 3 + 4 + count_tokens('{"name": "find", "arguments": {"query": "one two three"}}')),
        ([ToolMessage(TEXT, tool_call_id="1")], 3 + 4 + SIZE),
    ],
    ids=["none", "one", "two", "name", "blocks", "picture", "tool call", "tool's answer"],
)
def test_messages_are_counted_with_what_surrounds_them(messages: list[BaseMessage], tokens: int) -> None:
    assert count_message_tokens(messages) == tokens


def test_tools_are_counted_as_their_json() -> None:
    alone = count_message_tokens([HumanMessage(TEXT)])
    assert count_message_tokens([HumanMessage(TEXT)], schemas=[SCHEMA, SCHEMA]) == alone + 2 * count_tokens(
        json.dumps(SCHEMA)
    )


def test_nothing_is_said_where_nobody_has_set_up_logging(tmp_path: Path) -> None:
    assert run_alone(COUNT, tmp_path).stderr == ""


def test_a_broken_vocabulary_leads_to_an_estimate(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    name = "fb374d419588a4632f3f557e76b4b70aebbca790"
    code = (
        "import logging, socket, sys\n"
        "logging.basicConfig()\n"
        "def refuse(*args, **kwargs):\n    raise OSError('no network')\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        f"{COUNT}"
    )
    (tmp_path / name).write_bytes(b"not a vocabulary")
    with caplog.at_level(logging.WARNING):
        done = run_alone(code, tmp_path)
    assert done.stdout.split() == ["4"]
    assert "cannot be read" in done.stderr
