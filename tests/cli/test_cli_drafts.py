"""Plans that are watched while a model writes them, and first steps that begin meanwhile."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.screens import Screen

Command = Callable[..., "subprocess.CompletedProcess[str]"]

_SERVER = """
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STEPS = [
    {"id": "note", "agent": "noter", "task": "note it", "depends_on": []},
    {"id": "talk", "agent": "talker", "task": "talk about it", "depends_on": ["note"]},
]
WRONG = [{**STEPS[0], "agent": "nobody"}, STEPS[1]]


def answer(asked):
    if "response_format" not in asked and "tools" not in asked:
        return ["Both are done."]
    repaired = any(one["role"] == "assistant" for one in asked["messages"])
    mode = asked["model"]
    if mode == "wrong" or (mode == "mended" and not repaired):
        return [json.dumps({"name": "Wrong", "steps": WRONG})]
    first, second = (json.dumps(step) for step in STEPS)
    return ['{"name": "Two things", "conditions": [], "steps": [' + first + ", ", second + "]}"]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        body = {"id": "x", "created": 1, "model": asked["model"], "usage": usage}
        parts = answer(asked)
        self.send_response(200)
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "".join(parts), "refusal": None}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            text = json.dumps({**body, "object": "chat.completion", "choices": [choice]}).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, part in enumerate(parts):
            if number and asked["model"] in ("patient", "stuck"):
                self.wait(["go", "tally.txt"] if asked["model"] == "patient" else ["go"])
            delta = {"role": "assistant", "content": part}
            self.chunk({**body, "usage": None, "choices": [{"index": 0, "finish_reason": None, "delta": delta}]})
        self.chunk({**body, "usage": None, "choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]})
        self.chunk({**body, "choices": []})
        self.wfile.write(b"data: [DONE]\\n\\n")

    def wait(self, names):
        end = time.monotonic() + 20
        while not any(Path(name).exists() for name in names) and time.monotonic() < end:
            time.sleep(0.02)
        Path("begun").write_text(str(Path("tally.txt").exists()))

    def chunk(self, content):
        self.wfile.write(f"data: {json.dumps({**content, 'object': 'chat.completion.chunk'})}\\n\\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

_OWN = ("--specialists", "mine:everybody")
_MENDED = "draft 1 cannot be used: "


@pytest.fixture
def provider(workplace: Path) -> Iterator[dict[str, str]]:
    """Environment of a command whose provider, in the workplace, writes plans piece by piece."""
    script = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(script, cwd=workplace, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield {
            "OPENAI_API_KEY": "sk-0123-secret",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "NO_PROXY": "*",
            "no_proxy": "*",
        }
        process.kill()


def _record(workplace: Path) -> Any:
    return json.loads((workplace / "here" / "run.json").read_text("utf-8"))


def test_steps_are_told_on_stderr_as_they_are_drafted_and_a_repair_says_why(
    goalgraph: Command, provider: dict[str, str]
) -> None:
    ended = goalgraph("plan", "Do two things", "--model", "openai:mended", *_OWN, **provider)
    assert ended.returncode == 0, ended.stderr
    first, second, why, *again = ended.stderr.splitlines()
    assert (first, second) == ("drafted note: note it", "drafted talk (needs note): talk about it")
    assert why.startswith(_MENDED)
    assert "'nobody'" in why
    assert again == [first, second]
    assert ended.stdout.startswith("Plan: Two things (2 steps)\n")
    assert f"\n{why}\n" in ended.stdout


def test_with_json_nothing_is_told_but_the_decisions_are_in_the_document(
    goalgraph: Command, provider: dict[str, str]
) -> None:
    ended = goalgraph("plan", "Do two things", "--model", "openai:mended", *_OWN, "--json", **provider)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [one["chosen"] for one in json.loads(ended.stdout)["decisions"]] == ["repair"]


def test_on_a_terminal_the_list_of_steps_grows_and_gives_way_to_the_plan(
    screen: Callable[..., Screen], provider: dict[str, str], workplace: Path
) -> None:
    shown = screen("plan", "Do two things", "--model", "openai:patient", *_OWN, **provider)
    shown.until("Planning ...")
    shown.until("note it")
    assert "talk about it" not in shown.text
    (workplace / "go").touch()
    assert shown.ended() == 0
    assert "layer 2" in shown.text


def test_how_a_plan_was_made_is_in_the_record_and_the_end_of_its_run(
    goalgraph: Command, provider: dict[str, str], workplace: Path
) -> None:
    ended = goalgraph("run", "Do two things", "--model", "openai:mended", *_OWN, "--out", "here", **provider)
    assert ended.returncode == 0, ended.stderr
    assert f"\n  planning: {_MENDED}" in ended.stdout
    record = _record(workplace)
    assert [one["chosen"] for one in record["decisions"]] == ["repair"]
    assert (record["planning"]["calls"], record["usage"]["calls"], record["revisions"]) == (2, 3, 0)


def test_a_plan_that_is_less_than_it_should_be_makes_the_answer_degraded(
    goalgraph: Command, provider: dict[str, str], workplace: Path
) -> None:
    run = ("run", "Do two things", "--model", "openai:wrong", *_OWN, "--available", "noter", "--out", "here", "--json")
    assert goalgraph(*run, **provider).returncode == 1
    ended = goalgraph(*run, "--least", "single", **provider)
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["status"], document["options"]["least"]) == (3, "degraded", "single")
    assert [step["specialist"] for step in document["steps"]] == ["noter"]
    assert document["degraded"][0].startswith("the plan is simpler than it should be: one specialist")


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "in turn"])
def test_only_eager_runs_begin_before_the_plan_is_complete(
    start: Callable[..., "subprocess.Popen[str]"], provider: dict[str, str], workplace: Path, eager: bool
) -> None:
    options = ("--model", "openai:patient", *_OWN, "--out", "here", *(("--eager",) if eager else ()))
    with start("run", "Do two things", *options, **provider) as process:
        if not eager:
            assert process.stderr is not None
            assert process.stderr.readline() == "drafted note: note it\n"
            (workplace / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (workplace / "begun").read_text() == str(eager)
    assert (workplace / "tally.txt").read_text().split() == ["note"]
    assert ("drafted note: note it, begun\n" in out) == eager
    assert "Plan: Two things (2 steps)\n" in out
    record = _record(workplace)
    assert [(one["id"], one["status"]) for one in record["steps"]] == [("note", "succeeded"), ("talk", "succeeded")]
    assert (record["planning"]["calls"], record["usage"]["calls"]) == (1, 2)
    assert "id: talk" in (workplace / "here" / "plan.yaml").read_text("utf-8")


def test_an_eager_run_is_drawn_on_a_terminal_from_its_first_draft_on(
    screen: Callable[..., Screen], provider: dict[str, str], workplace: Path
) -> None:
    shown = screen(
        "run", "Do two things", "--model", "openai:stuck", *_OWN, "--out", "here", "--eager", "--yes", **provider
    )
    shown.until("Planning ...")
    shown.until("note it")
    assert "talk about it" not in shown.text
    (workplace / "go").touch()
    shown.until("layer 2")
    assert shown.ended() == 0
    assert "complete: 2 of 2 steps succeeded" in shown.text


def test_an_eager_run_that_is_stopped_while_it_plans_is_planned_again(
    start: Callable[..., "subprocess.Popen[str]"], goalgraph: Command, provider: dict[str, str], workplace: Path
) -> None:
    options = ("--model", "openai:stuck", *_OWN, "--out", "here", "--eager")
    with start("run", "Do two things", *options, **provider) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "drafted note: note it, begun\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "stopped; 0 of 0 steps done; go on with: goalgraph resume here\n")
    assert not (workplace / "here" / "plan.yaml").exists()
    (workplace / "go").touch()
    ended = goalgraph("resume", "here", "--json", **provider)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, "complete")
    assert "id: talk" in (workplace / "here" / "plan.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--plan", "one.yaml"), "--eager begins while the plan is made, and --plan has one"),
        (("Do it",), "--eager begins while a model writes the plan, and there is none"),
        (("Do it", "--model", "openai:x", "--review"), "--eager begins before the plan is there to be asked about"),
    ],
    ids=["plan", "no model", "review"],
)
def test_eager_where_it_cannot_be_is_refused(goalgraph: Command, options: tuple[str, ...], said: str) -> None:
    ended = goalgraph("run", *options, "--eager", OPENAI_API_KEY="x")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"goalgraph: error: {said}; give ")


def test_eager_runs_ask_only_about_what_is_known_before_there_is_a_plan(
    goalgraph: Command, provider: dict[str, str], workplace: Path
) -> None:
    run = ("run", "Do two things", "--model", "openai:patient", *_OWN, "--out", "here", "--eager", "--json")
    ended = goalgraph(*run, "--approve", "talk", **provider)
    assert ended.returncode == 2
    assert "no specialist or capability (with --eager) of that name; did you mean 'talker'?" in ended.stderr
    ended = goalgraph(*run, "--approve", "talker", **provider)
    assert (ended.returncode, [one["step"] for one in json.loads(ended.stdout)["questions"]]) == (4, ["talk"])
    assert (workplace / "tally.txt").read_text().split() == ["note"]
    assert goalgraph("answer", "here", "talk=yes", **provider).returncode == 0
    assert (workplace / "tally.txt").read_text().split() == ["note"]
