"""The command with a model: an OpenAI-compatible server on loopback, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]

_SERVER = """
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

STEPS = [
    {"id": "note", "agent": "noter", "task": "note it", "depends_on": []},
    {"id": "talk", "agent": "talker", "task": "talk about it", "depends_on": []},
]
PLAN = json.dumps({"name": "Two things", "steps": STEPS})


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mode = asked["model"]
        if mode == "locked":
            return self.send(401, {"error": {"message": "wrong key", "type": "invalid_request_error"}})
        structured = "response_format" in asked or "tools" in asked
        message = {"role": "assistant", "content": PLAN if structured else "Both are done.", "refusal": None}
        if mode == "unwilling":
            message = {"role": "assistant", "content": None, "refusal": "I will not plan this."}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": mode, "usage": usage}
        if not asked.get("stream"):
            return self.send(200, {**body, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})
        delta = [{"index": 0, "finish_reason": "stop", "delta": message}]
        chunks = [{**body, "object": "chat.completion.chunk", "usage": None, "choices": delta}]
        chunks.append({**body, "object": "chat.completion.chunk", "choices": []})
        text = "".join(f"data: {json.dumps(chunk)}\\n\\n" for chunk in chunks) + "data: [DONE]\\n\\n"
        self.write(200, "text/event-stream", text)

    def send(self, status, content):
        self.write(status, "application/json", json.dumps(content))

    def write(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

_OWN = ("--specialists", "mine:everybody")


@pytest.fixture
def provider() -> Iterator[dict[str, str]]:
    """Environment of a command that finds its provider on loopback."""
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield {
            "OPENAI_API_KEY": "sk-0123-secret",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "NO_PROXY": "*",
            "no_proxy": "*",
        }
        process.kill()


def test_a_model_plans_and_writes_the_answer_and_all_its_tokens_are_counted(
    goalgraph: Command, provider: dict[str, str], workplace: Path
) -> None:
    ended = goalgraph("run", "Do two things", "--model", "openai:willing", *_OWN, "--json", **provider)
    assert (ended.returncode, ended.stderr) == (0, "I am talking\n")
    document = json.loads(ended.stdout)
    assert [step["id"] for step in document["steps"]] == ["note", "talk"]
    assert (document["answer"], document["model"]) == ("Both are done.", "openai:willing")
    unpriced = {"cost_usd": 0.0, "unpriced_calls": 0, "estimated_calls": 0}
    assert document["planning"] == {"input_tokens": 10, "output_tokens": 5, "calls": 1, **unpriced}
    assert document["usage"] == {"input_tokens": 20, "output_tokens": 10, "calls": 2, **unpriced}
    kept = [path.read_bytes() for path in (workplace / "goalgraph-runs").rglob("*") if path.is_file()]
    assert kept
    assert not any(b"sk-0123-secret" in content for content in kept)


def test_a_run_asks_its_model_for_no_more_than_it_may(goalgraph: Command, provider: dict[str, str]) -> None:
    run = ("run", "Do two things", "--model", "openai:willing", *_OWN)
    ended = goalgraph(*run, "--json", "--max-tokens", "9000", "--max-cost", "0.5", **provider)
    assert (ended.returncode, ended.stderr) == (3, "I am talking\n")
    document = json.loads(ended.stdout)
    assert (document["options"]["max_tokens"], document["options"]["max_cost"]) == (9000, 0.5)
    assert document["answer"] == "Both are done."
    assert (document["planning"]["unpriced_calls"], document["usage"]["unpriced_calls"]) == (1, 2)
    assert document["degraded"] == ["the price of 1 model calls is not known; the budget does not count them"]
    ended = goalgraph(*run, "--max-tokens", "20", "--out", "here", **provider)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("goalgraph: error: Limits.max_tokens of 20 is used up (0 spent, a call refused")
    assert ended.stderr.count("\n") == 1
    assert goalgraph(*run, "--max-cost", "0", **provider).returncode == 2


@pytest.mark.parametrize(
    ("model", "said"), [("openai:locked", "check the API key"), ("openai:unwilling", "refused")], ids=["401", "refusal"]
)
def test_a_planner_that_fails_is_one_line_and_exit_code_1(
    goalgraph: Command, provider: dict[str, str], model: str, said: str
) -> None:
    ended = goalgraph("run", "Do two things", "--model", model, *_OWN, "--out", "here", **provider)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("goalgraph: error: ")
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
