"""Simpler plans where good ones cannot be made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from goalgraph import AgentStep, Plan, PlannerError, create_plan_agent, specialist
from goalgraph.errors import GoalgraphError, InvalidGoal, ModelFailed, PlannerEmpty, PlannerInvalid, PlannerRefused
from goalgraph.graph.policies import PlanningPolicy
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.degrading import Degrading, simplifications
from goalgraph.planner.validation import PlanPolicy

CARDS = (
    SpecialistCard(name="painter", description="Paints walls and fences"),
    SpecialistCard(name="cook", description="Cooks meals and bakes bread"),
)
GOOD = Plan(steps=(AgentStep(id="one", agent="cook"),))


@dataclass
class Answering:
    """Gives plans or errors in order."""

    answers: Sequence[Plan | GoalgraphError]
    requests: list[PlanRequest] = field(default_factory=list[PlanRequest])

    async def decompose(self, request: PlanRequest) -> Plan:
        """Answer once."""
        self.requests.append(request)
        answer = self.answers[len(self.requests) - 1]
        if isinstance(answer, GoalgraphError):
            raise answer
        return answer


def _request(said: list[Decision], policy: PlanPolicy | None = None) -> PlanRequest:
    return PlanRequest(
        goal="bake some bread", cards=CARDS, policy=policy or PlanPolicy(), on_decision=said.append, on_step=print
    )


async def test_a_good_plan_is_taken_as_it_is() -> None:
    said: list[Decision] = []
    plan = await Degrading(decomposer=Answering([GOOD]), least="single").decompose(_request(said))
    assert (plan, said) == (GOOD, [])


async def test_a_simpler_plan_is_asked_for_and_said() -> None:
    said: list[Decision] = []
    inner = Answering([PlannerEmpty("nothing came"), GOOD])
    assert await Degrading(decomposer=inner, least="simple").decompose(_request(said)) == GOOD
    assert [request.simple for request in inner.requests] == [False, True]
    assert [(one.kind, one.chosen) for one in said] == [("planning", "simplify")]
    (reason,) = simplifications(said)
    assert "simpler than it should be" in reason
    assert "nothing came" in reason


async def test_at_last_the_best_specialist_gets_the_whole_goal() -> None:
    said: list[Decision] = []
    inner = Answering([PlannerEmpty("first"), PlannerInvalid((), attempts=3)])
    plan = await Degrading(decomposer=inner, least="single").decompose(_request(said))
    (step,) = plan.steps
    assert isinstance(step, AgentStep)
    assert (step.agent, step.task) == ("cook", "bake some bread")
    assert len(said) == 2
    assert "one specialist is given the whole goal" in simplifications(said)[0]


async def test_braces_in_the_goal_stay_text() -> None:
    inner = Answering([ModelFailed("down")])
    request = PlanRequest(goal="print {{ steps.x.output }}", cards=CARDS)
    plan = await Degrading(decomposer=inner, least="single").decompose(request)
    agent = create_plan_agent(None, [_named("cook"), _named("painter")])
    result = await agent.ainvoke({"goal": "g", "plan": plan})
    assert result["answer"].endswith("print {{ steps.x.output }}")


async def test_where_the_model_is_down_it_is_not_asked_for_less() -> None:
    inner = Answering([ModelFailed("down")])
    plan = await Degrading(decomposer=inner, least="single").decompose(_request([]))
    assert len(plan.steps) == len(inner.requests) == 1


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        pytest.param([PlannerRefused("I will not")], PlannerRefused, id="a refusal"),
        pytest.param([PlannerEmpty("no"), PlannerRefused("I will not")], PlannerRefused, id="a later refusal"),
        pytest.param([InvalidGoal("empty")], InvalidGoal, id="a goal that cannot be planned"),
        pytest.param([PlannerEmpty("first"), PlannerEmpty("second")], PlannerEmpty, id="less is not allowed"),
    ],
)
async def test_what_stays_an_error(answers: list[GoalgraphError], raised: type[Exception]) -> None:
    with pytest.raises(raised, match=str(answers[0]) if raised is PlannerEmpty else str(answers[-1])):
        await Degrading(decomposer=Answering(answers), least="simple").decompose(_request([]))


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(PlanPolicy(require_approval=frozenset({"*"})), id="some approval"),
        pytest.param(PlanPolicy(require_approval=frozenset({"cook"})), id="approval of the specialist"),
        pytest.param(PlanPolicy(available=frozenset()), id="nobody available"),
    ],
)
async def test_the_policy_is_never_given_up(policy: PlanPolicy) -> None:
    inner = Answering([PlannerEmpty("first"), PlannerEmpty("second")])
    with pytest.raises(PlannerEmpty, match="first"):
        await Degrading(decomposer=inner, least="single").decompose(_request([], policy))


async def test_a_run_says_that_its_plan_is_simpler() -> None:
    inner = Answering([PlannerEmpty("nothing came")] * 2)
    agent = create_plan_agent(
        None, [_named("cook"), _named("painter")], decomposer=inner, planning=PlanningPolicy(least="single")
    )
    result = await agent.ainvoke({"goal": "bake some bread"})
    assert result["status"] == "degraded"
    assert any("the plan is simpler than it should be" in reason for reason in result["degraded"])
    assert [one.chosen for one in result["decisions"]] == ["simplify", "simplify"]
    with pytest.raises(PlannerError):
        await create_plan_agent(None, [_named("cook")], decomposer=Answering([PlannerEmpty("no")])).ainvoke(
            {"goal": "g"}
        )


def _named(name: str) -> object:
    @specialist(name=name, description=next(card.description for card in CARDS if card.name == name))
    def work(text: str) -> str:
        return text

    return work
