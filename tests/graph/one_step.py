"""A run of one step, for tests of how steps are done."""

from typing import Any

from goalgraph import ExecutionPolicy, Outcome, create_plan_agent

__all__ = ["outcome_of"]


def outcome_of(one: object, *, events: list[Any] | None = None, **policy: Any) -> Outcome:
    """Have a specialist do the one step of a plan."""
    agent = create_plan_agent(None, [one], execution=ExecutionPolicy(**policy))
    name = agent.registry.cards[0].name
    plan = {"steps": [{"id": "a", "task": "do it", "agent": name}]}
    found: Outcome | None = None
    for mode, part in agent.stream({"goal": "g", "plan": plan}, stream_mode=["custom", "values"]):
        if mode == "custom" and events is not None:
            events.append(part)
        if mode == "values":
            found = part.get("outcomes", {}).get("a", found)
    assert found is not None
    return found
