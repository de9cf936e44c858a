"""Who does a step."""

from typing import Any

import pytest

from goalgraph import AgentStep, SpecialistCard
from goalgraph.errors import UnknownSpecialist
from goalgraph.specialists import route

CARDS = (
    SpecialistCard(name="everything", capabilities=("read", "write", "draw")),
    SpecialistCard(name="first reader", capabilities=("read", "fetch")),
    SpecialistCard(name="second reader", capabilities=("fetch", "read", "read")),
    SpecialistCard(name="silent"),
)


def step(**fields: Any) -> AgentStep:
    return AgentStep.model_validate({"id": "a", "task": "x", **fields})


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"agent": "silent"}, ("silent",)),
        ({"agent": "silent", "fallback": ["everything", "silent"]}, ("silent", "everything")),
        ({"agent": "silent", "requires": ["read"]}, ("silent",)),
        ({"requires": ["read"]}, ("first reader",)),
        ({"requires": ["read", "fetch"]}, ("first reader",)),
        ({"requires": ["write"]}, ("everything",)),
        ({"requires": ["read", "draw"]}, ("everything",)),
        ({"requires": ["read"], "fallback": ["first reader", "silent"]}, ("first reader", "silent")),
    ],
    ids=["named", "with fallback", "name before need", "best match", "tie by order", "only one", "both", "not twice"],
)
def test_a_step_is_routed_to_the_named_or_else_the_best_match_then_fallbacks(
    fields: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert route(step(**fields), CARDS) == names


@pytest.mark.parametrize("requires", [["fly"], ["read", "fly"], []], ids=["nobody", "not all", "nothing asked"])
def test_a_step_nobody_can_do_has_no_route(requires: list[str]) -> None:
    with pytest.raises(UnknownSpecialist, match="step 'a'"):
        route(step(requires=requires), CARDS)
