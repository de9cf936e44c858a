"""The payloads of interrupts, as screens and programs read them."""

import json

from langchain.agents.middleware.human_in_the_loop import HITLRequest
from pydantic import TypeAdapter

from goalgraph.graph.humans.requests import approval_request, event_request, input_request


def test_an_approval_is_what_langchain_s_screens_show_and_ours_beside_it() -> None:
    request = approval_request(
        run="r1", step="sign_off", prompt="Is it **right**?", assignee="anna", deadline="2030-01-01T00:00:00+00:00"
    )
    assert len(request.pop("digest")) == 32
    assert request == {
        "action_requests": [
            {
                "name": "sign_off",
                "args": {"prompt": "Is it **right**?"},
                "arguments": {"prompt": "Is it **right**?"},
                "description": (
                    "Is it **right**?\n\nStep `sign_off` of run `r1`, for `anna`, until 2030-01-01T00:00:00+00:00."
                ),
            }
        ],
        "review_configs": [{"action_name": "sign_off", "allowed_decisions": ["approve", "reject"]}],
        "kind": "approval",
        "run": "r1",
        "step": "sign_off",
        "prompt": "Is it **right**?",
        "assignee": "anna",
        "deadline": "2030-01-01T00:00:00+00:00",
        "problem": None,
        "escalated": False,
        "asked": 0,
    }


def test_every_request_has_the_shape_of_langchain_and_is_json() -> None:
    for request in (
        approval_request(run="r", step="s", prompt="?"),
        input_request(run="r", step="s", prompt="?", schema={"type": "string"}),
        event_request(run="r", step="s", event="paid"),
    ):
        assert TypeAdapter(HITLRequest).validate_python(request)["action_requests"]
        assert json.loads(json.dumps(request)) == request
        assert {"kind", "run", "step", "prompt", "assignee", "deadline", "problem", "escalated"} <= request.keys()


def test_what_was_wrong_and_that_it_is_asked_again_come_first() -> None:
    request = approval_request(run="r", step="s", prompt="Right?", problem="found 'maybe'", escalated=True)
    assert (request["problem"], request["escalated"]) == ("found 'maybe'", True)
    assert request["action_requests"][0]["description"].split("\n\n") == [
        "**The last answer could not be used:** found 'maybe'",
        "**Nobody answered in time, so it is asked once more.**",
        "Right?",
        "Step `s` of run `r`.",
    ]


def test_input_is_asked_for_with_its_schema() -> None:
    schema = {"type": "integer"}
    request = input_request(run="r", step="s", prompt="How many?", schema=schema)
    assert (request["kind"], request["schema"]) == ("input", schema)
    assert request["action_requests"][0]["args"] == {"prompt": "How many?", "schema": schema}
    assert request["review_configs"][0]["allowed_decisions"] == ["respond"]


def test_an_event_is_named() -> None:
    request = event_request(run="r", step="s", event="paid", deadline="2030-01-01T00:00:00+00:00")
    assert (request["kind"], request["event"], request["deadline"]) == ("event", "paid", "2030-01-01T00:00:00+00:00")
    assert request["action_requests"][0]["args"] == {"event": "paid"}


def test_names_cannot_break_out_of_their_place() -> None:
    request = approval_request(run="r", step="s", prompt="?", assignee="a`\n# Approved **already**")
    assert request["action_requests"][0]["description"] == (
        "?\n\nStep `s` of run `r`, for `a’ # Approved **already**`."
    )
    assert request["assignee"] == "a`\n# Approved **already**"
