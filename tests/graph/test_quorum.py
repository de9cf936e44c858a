"""Votes through the agent: winners, early ends, ties, humans who choose, and what becomes of everybody's outcome."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.revisers import ScriptedReviser
from tests.graph.voters import asking, voter

from goalgraph import (
    AgentStep,
    ConditionStep,
    Decision,
    HumanInputStep,
    InvalidAnswer,
    InvalidPlan,
    MapStep,
    Outcome,
    ParallelStep,
    Plan,
    PlanPatch,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    Vote,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.patterns import consensus
from goalgraph.planner.plan import Step
from goalgraph.testing import ScriptedChatModel

CONFIG: Any = {"configurable": {"thread_id": "1"}}
NEVER = 60.0


def review(*names: str, quorum: float | None = None, **vote: Any) -> AgentStep:
    return AgentStep(id="review", task="Judge.", agents=names, quorum=quorum, vote=Vote(**vote))


async def outcome_of(step: Step, *crew: Any, **options: Any) -> dict[str, Any]:
    agent = create_plan_agent(None, crew, **options)
    return cast("dict[str, Any]", await agent.ainvoke({"goal": "g", "plan": Plan(steps=(step,))}, CONFIG))


def vote_in(result: Mapping[str, Any]) -> Decision:
    found: list[Decision] = result["decisions"]
    (decision,) = [one for one in found if one.kind == "vote"]
    return decision


def states(result: Mapping[str, Any]) -> dict[str, str]:
    return {step_id: one.status for step_id, one in result["outcomes"].items()}


async def test_the_winner_is_the_output_and_every_ballot_is_kept() -> None:
    crew = [voter("a", "Yes.", 0.6), voter("b", "no", 0.9), voter("c", "yes", 0.8, after=0.02)]
    result = await outcome_of(review("a", "b", "c"), *crew)
    whole = result["outcomes"]["review"]
    assert (whole.status, whole.output, whole.confidence) == ("succeeded", "yes", pytest.approx(2 / 3))
    assert [result["outcomes"][f"review.{one}"].output for one in "abc"] == ["Yes.", "no", "yes"]
    assert (result["status"], result["degraded"]) == ("complete", [])
    decision = vote_in(result)
    assert (decision.subject, decision.chosen, decision.alternatives, decision.by) == (
        "review",
        "Yes.",
        ("no",),
        "quorum",
    )
    assert decision.rationale == "2 of 3 voters, 2 of the weight of 3"
    assert decision.answer == {
        "result": "won",
        "ballots": {
            "a": {"value": "Yes.", "confidence": 0.6},
            "b": {"value": "no", "confidence": 0.9},
            "c": {"value": "yes", "confidence": 0.8},
        },
        "without": [],
        "weights": {"Yes.": 2.0, "no": 1.0},
        "total": 3.0,
    }


async def test_what_comes_after_a_vote_reads_the_winners_output() -> None:
    after = AgentStep(id="after", agent="echo", task="{{ steps.review.output.verdict }}", depends_on=("review",))

    @specialist
    async def echo(task: StepTask, context: StepContext) -> str:
        return task.instruction

    crew = [voter(name, {"verdict": "ship", "by": name}) for name in "ab"]
    agent = create_plan_agent(None, [*crew, echo])
    result = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(review("a", "b", field="verdict"), after))})
    assert result["outcomes"]["after"].output == "ship"


async def test_a_vote_by_confidence_weighs_how_sure_voters_are() -> None:
    crew = [voter("a", {"v": 1}, 0.2), voter("b", {"v": 1}), voter("c", {"v": 2}, 0.9)]
    result = await outcome_of(review("a", "b", "c", by="confidence", field="v", quorum=0.5), *crew)
    whole = result["outcomes"]["review"]
    assert (whole.output, whole.confidence) == ({"v": 2}, pytest.approx(0.9 / 1.6))


async def test_whoever_can_change_nothing_is_stopped_and_is_not_missed() -> None:
    done: list[str] = []
    crew = [voter("a", done=done), voter("b", done=done), voter("c", after=NEVER, done=done)]
    result = await asyncio.wait_for(outcome_of(review("a", "b", "c"), *crew), 10)
    stopped = result["outcomes"]["review.c"]
    assert (stopped.status, stopped.error.code, stopped.error.message) == ("cancelled", "decided", "decided without it")
    assert (result["outcomes"]["review"].output, result["status"], result["degraded"]) == ("yes", "complete", [])
    assert sorted(done) == ["a", "b"]


@pytest.mark.parametrize("synthesis", ["concatenate", "last_wins"])
async def test_the_answer_is_that_of_the_winner_alone(synthesis: Any) -> None:
    crew = [voter("a", "no"), voter("b", "Yes."), voter("c", "yes"), voter("d", "YES"), voter("e", after=NEVER)]
    step = review("a", "b", "c", "d", "e", quorum=2)
    result = await asyncio.wait_for(outcome_of(step, *crew, synthesis=synthesis), 20)
    assert (result["answer"], result["status"], result["degraded"]) == ("Yes.", "complete", [])


async def test_a_model_that_answers_is_not_told_of_those_who_were_not_needed() -> None:
    model = ScriptedChatModel(["fine"])
    agent = create_plan_agent(
        model, [voter("a"), voter("b"), voter("c", after=NEVER)], decomposer=None, synthesis="model"
    )
    result = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(review("a", "b", "c"),))})
    (prompt,) = model.received
    assert "yes" in str(prompt)
    assert "review.c" not in str(prompt)
    assert result["status"] == "complete"


async def test_a_voter_who_waits_for_a_human_is_stopped_too() -> None:
    crew = [voter("a", after=0.01), voter("b", after=0.02), asking("c")]
    result = await outcome_of(review("a", "b", "c"), *crew, checkpointer=InMemorySaver())
    assert "__interrupt__" not in result
    assert states(result) == {
        "review.a": "succeeded",
        "review.b": "succeeded",
        "review.c": "cancelled",
        "review": "succeeded",
    }


async def test_a_human_whose_ballot_counts_is_waited_for(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    crew = [voter("a", "yes", done=done), voter("b", "no", done=done), asking("c")]
    plan = Plan(steps=(review("a", "b", "c"),))
    paused = await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert [one.value["step"] for one in paused["__interrupt__"]] == ["review.c"]
    result = await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke(Command(resume="NO"), CONFIG)
    assert (result["outcomes"]["review"].output, result["status"]) == ("no", "complete")
    assert sorted(done) == ["a", "b"], "what is recorded is not done again"


@pytest.mark.parametrize(
    ("outputs", "quorum", "code"),
    [
        (("yes", "no"), None, "tie"),
        (("yes", "no"), 1, "tie"),
        (("a", "a", "b", "c"), 3, "no_quorum"),
        (("a", "a", "b", "c"), None, "no_quorum"),
        ((None, None), 1, "no_quorum"),
        ((ValueError("x"), ValueError("y")), 1, "no_quorum"),
        (("yes", ValueError("x")), None, "no_quorum"),
    ],
    ids=["half and half", "one is enough", "count", "not more than half", "nothing said", "all failed", "one failed"],
)
async def test_without_a_winner_the_step_fails(outputs: tuple[Any, ...], quorum: int | None, code: str) -> None:
    names = "abcd"[: len(outputs)]
    crew = [voter(name, output) for name, output in zip(names, outputs, strict=True)]
    result = await outcome_of(review(*names, quorum=quorum), *crew)
    whole = result["outcomes"]["review"]
    assert (whole.status, whole.error.code) == ("failed", code)
    assert vote_in(result).chosen == code
    assert result["status"] in ("degraded", "failed")


async def test_nobody_is_waited_for_where_nobody_can_win() -> None:
    crew = [voter("a", "x"), voter("b", "y"), voter("c", after=NEVER)]
    result = await asyncio.wait_for(outcome_of(review("a", "b", "c", quorum=3), *crew), 10)
    assert result["outcomes"]["review"].error.code == "no_quorum"
    assert result["outcomes"]["review.c"].status == "cancelled"


async def test_a_vote_that_fails_calls_for_a_revision() -> None:
    again = PlanPatch(add=(AgentStep(id="judge", agent="c", task="Decide."),), rationale="they disagree")
    reviser = ScriptedReviser([again])
    result = await outcome_of(
        review("a", "b"),
        voter("a", "yes"),
        voter("b", "no"),
        voter("c", "maybe"),
        revision=RevisionPolicy(triggers=("step.error.code == 'tie'",)),
        reviser=reviser,
    )
    (request,) = reviser.requests
    assert request.outcomes["review"].error is not None
    assert request.outcomes["review"].error.code == "tie"
    assert result["outcomes"]["judge"].output == "maybe"


@pytest.mark.parametrize(("answer", "output"), [("b", "no"), ("none", None)], ids=["one of them", "none"])
async def test_a_human_chooses_where_there_is_no_winner(sqlite: SqliteSaver, answer: str, output: str | None) -> None:
    done: list[str] = []
    crew = [voter("a", "{{ input.secret }}", 0.3, done=done), voter("b", "no", 0.4, done=done)]
    plan = Plan(steps=(review("a", "b", otherwise="ask"),))
    given = {"goal": "g", "plan": plan, "inputs": {"secret": "s3cret"}}
    paused = await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke(given, CONFIG)
    (asked,) = paused["__interrupt__"]
    assert asked.value["schema"] == {"type": "string", "enum": ["a", "b", "none"]}
    assert "{{ input.secret }}" in asked.value["prompt"]
    assert "s3cret" not in str(asked.value), "what a voter says is no expression"
    resumed = create_plan_agent(None, crew, checkpointer=sqlite)
    with pytest.raises(InvalidAnswer):
        await resumed.ainvoke(Command(resume="c"), CONFIG)
    result = await resumed.ainvoke(Command(resume=answer), CONFIG)
    whole = result["outcomes"]["review"]
    assert (whole.output, whole.status) == (output, "succeeded" if output else "failed")
    assert [one.kind for one in result["decisions"]] == ["input", "vote"]
    assert (vote_in(result).chosen, vote_in(result).by) == (answer, "human")
    assert sorted(done) == ["a", "b"]


async def test_who_is_to_choose_sees_all_ballots() -> None:
    crew = [voter("a", "x"), voter("b", "y"), voter("c", "z", after=0.1)]
    step = review("a", "b", "c", quorum=3, otherwise="ask")
    result = await outcome_of(step, *crew, checkpointer=InMemorySaver())
    assert result["__interrupt__"][0].value["schema"]["enum"] == ["a", "b", "c", "none"]


async def test_every_item_of_a_map_has_a_vote_of_its_own() -> None:
    @specialist
    async def echo(task: StepTask, context: StepContext) -> object:
        return task.input["item"]

    each = AgentStep(id="v", task="t", agents=("echo", "a", "slow"), input={"item": "{{ item }}"}, vote=Vote())
    step = MapStep(id="each", over=["yes", "no"], step=each)
    crew = [echo, voter("a", "yes"), voter("slow", "no", after=0.2)]
    result = await asyncio.wait_for(outcome_of(step, *crew), 10)
    assert result["outcomes"]["each"].output == ["yes", "no"]
    assert result["outcomes"]["each[0].slow"].error.code == "decided"
    assert result["outcomes"]["each[1].slow"].status == "succeeded"
    assert result["status"] == "complete"


async def test_an_item_whose_vote_is_recorded_in_part_goes_on(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    each = AgentStep(id="v", task="t", agents=("a", "b", "c"), vote=Vote())
    plan = Plan(steps=(MapStep(id="each", over=[1], step=each),))
    crew = [voter("a", "yes", done=done), voter("b", "no", done=done), asking("c")]
    await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke({"goal": "g", "plan": plan}, CONFIG)
    result = await create_plan_agent(None, crew, checkpointer=sqlite).ainvoke(Command(resume="yes"), CONFIG)
    assert (result["outcomes"]["each"].output, sorted(done)) == (["yes"], ["a", "b"])


def branch(step_id: str, agent: str, **fields: Any) -> AgentStep:
    return AgentStep(id=step_id, agent=agent, task="t", **fields)


async def test_a_voter_whose_condition_leaves_it_out_does_not_count() -> None:
    step = ParallelStep(
        id="p",
        branches=(branch("x", "a"), branch("y", "b", when="false"), branch("z", "b", when="false")),
        vote=Vote(),
    )
    result = await outcome_of(step, voter("a"), voter("b"))
    assert result["outcomes"]["p"].output == "yes", "one of one is more than half"


async def test_an_optional_voter_who_fails_does_not_count() -> None:
    step = ParallelStep(id="p", branches=(branch("x", "a"), branch("y", "b", optional=True)), vote=Vote())
    result = await outcome_of(step, voter("a"), voter("b", ValueError("x")))
    assert result["outcomes"]["p"].output == "yes"


async def test_a_condition_may_be_a_voter() -> None:
    fork = ConditionStep(id="fork", test="true", then=(branch("inner", "a"),))
    step = ParallelStep(id="p", branches=(fork, branch("y", "b")), quorum=2)
    result = await outcome_of(step, voter("a"), voter("b", True))
    assert result["outcomes"]["p"].output is True


async def test_a_branch_of_several_steps_votes_with_its_last_and_is_stopped_as_a_whole() -> None:
    long = (branch("one", "slow"), branch("two", "a"))
    step = ParallelStep(id="p", branches=(branch("x", "a"), branch("y", "a"), long), vote=Vote())
    result = await asyncio.wait_for(outcome_of(step, voter("a"), voter("slow", after=NEVER)), 10)
    assert (result["outcomes"]["p.one"].status, result["outcomes"]["p.two"].status) == ("cancelled", "cancelled")
    assert (result["outcomes"]["p"].output, result["status"]) == ("yes", "complete")


async def test_a_voter_whom_others_wait_for_goes_on() -> None:
    steps = (
        ParallelStep(id="p", branches=(branch("x", "a"), branch("y", "a"), "apart"), vote=Vote()),
        branch("before", "slow"),
        branch("apart", "b", depends_on=("before",)),
        branch("after", "a", depends_on=("apart",)),
    )
    agent = create_plan_agent(None, [voter("a"), voter("b", "no"), voter("slow", after=0.1)])
    result = await agent.ainvoke({"goal": "g", "plan": Plan(steps=steps)})
    assert set(states(result).values()) == {"succeeded"}
    assert result["outcomes"]["p"].output == "yes"


@pytest.mark.parametrize("on_failure", ["fail_fast", "wait_all", "continue"])
async def test_a_failed_branch_is_a_voter_without_a_ballot_unless_it_fails_all(
    on_failure: Literal["fail_fast", "wait_all", "continue"],
) -> None:
    branches = (branch("x", "bad"), branch("y", "a"), branch("z", "a"))
    step = ParallelStep(id="p", branches=branches, vote=Vote(), on_failure=on_failure)
    result = await outcome_of(step, voter("a", after=0.05), voter("bad", ValueError("x")))
    whole = result["outcomes"]["p"]
    if on_failure == "fail_fast":
        assert (whole.status, whole.error.code) == ("failed", "branch_failed")
    else:
        assert (whole.status, whole.output) == ("succeeded", "yes")


@pytest.mark.parametrize(("quorum", "status"), [(1, "succeeded"), (None, "failed")], ids=["enough", "not enough"])
async def test_when_the_time_is_up_what_is_there_is_counted(quorum: int | None, status: str) -> None:
    branches = (branch("x", "a"), branch("y", "slow"), branch("z", "slow"))
    step = ParallelStep(id="p", branches=branches, quorum=quorum, timeout=0.2, vote=Vote())
    result = await asyncio.wait_for(outcome_of(step, voter("a"), voter("slow", after=NEVER)), 10)
    whole = result["outcomes"]["p"]
    assert (whole.status, whole.output) == (status, "yes" if status == "succeeded" else None)
    assert "not done after 0.2 s" in vote_in(result).rationale


async def test_a_vote_that_is_left_out_or_cannot_begin_is_not_held() -> None:
    skipped = await outcome_of(review("a", "b").model_copy(update={"when": "false"}), voter("a"), voter("b"))
    assert skipped["outcomes"]["review"].status == "skipped"
    steps = (branch("first", "bad"), review("a", "b").model_copy(update={"depends_on": ("first",)}))
    agent = create_plan_agent(None, [voter("a"), voter("b"), voter("bad", ValueError("x"))])
    blocked = await agent.ainvoke({"goal": "g", "plan": Plan(steps=steps)})
    assert blocked["outcomes"]["review"].status == "blocked"
    assert not [one for one in blocked["decisions"] if one.kind == "vote"]


async def test_a_human_input_may_be_a_ballot() -> None:
    branches = (branch("x", "a"), HumanInputStep(id="ann", prompt="Well?"))
    agent = create_plan_agent(None, [voter("a")], checkpointer=InMemorySaver())
    plan = Plan(steps=(ParallelStep(id="p", branches=branches, vote=Vote()),))
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    result = await agent.ainvoke(Command(resume="YES!"), CONFIG)
    assert result["outcomes"]["p"].output == "yes"


async def test_consensus_without_a_judge_is_a_vote() -> None:
    plan = consensus("Safe?", ["a", "b", "a"], quorum=2, vote=Vote(by="confidence"))
    result = await create_plan_agent(None, [voter("a", confidence=0.9), voter("b", "no")]).ainvoke(
        {"goal": "g", "plan": plan}
    )
    assert result["outcomes"]["votes"].output == "yes"


def test_consensus_has_a_judge_or_a_vote_and_no_more_of_a_quorum_than_voters() -> None:
    with pytest.raises(InvalidPlan, match="expected a judge, or a vote"):
        consensus("Safe?", ["a"], "judge", quorum=1)
    with pytest.raises(InvalidPlan, match="quorum"):
        consensus("Safe?", ["a"], quorum=2)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (AgentStep(id="s", agent="a", quorum=1), "has no 'agents'"),
        (AgentStep(id="s", agent="a", vote=Vote()), "has no 'agents'"),
        (AgentStep(id="s", agents=("a", "b"), quorum=3), "cannot be reached by 2 voters"),
        (ParallelStep(id="s", branches=(branch("x", "a"),), quorum=2), "cannot be reached by 1 voters"),
        (ParallelStep(id="s", branches=(branch("x", "a"),), vote=Vote(), output="x"), "an 'output' of its own"),
    ],
    ids=["one specialist", "one votes", "too many", "too many branches", "output"],
)
def test_a_vote_that_cannot_be_held_is_refused(step: Step, said: str) -> None:
    agent = create_plan_agent(None, [voter("a"), voter("b")])
    with pytest.raises(InvalidPlan, match=said):
        agent.invoke({"goal": "g", "plan": Plan(steps=(step,))})


def recount(step: AgentStep, outcomes: Mapping[str, Outcome]) -> str | None:
    """Count what is recorded in another way: rank the values, and compare the first two."""
    vote = step.vote or Vote()
    weights: dict[str, float] = {}
    heads: Counter[str] = Counter()
    without = 0.0
    for name in step.agents:
        one = outcomes[f"{step.id}.{name}"]
        if one.status != "succeeded":
            without += 1
            continue
        heads[str(one.output)] += 1
        weighs = 1.0 if vote.by == "majority" else 0.5 if one.confidence is None else one.confidence
        weights[str(one.output)] = weights.get(str(one.output), 0.0) + weighs
    ranked = sorted(weights.items(), key=lambda one: -one[1])[:2]
    if not ranked or (len(ranked) == 2 and abs(ranked[0][1] - ranked[1][1]) < 1e-9):
        return None
    value, most = ranked[0]
    total = sum(weights.values()) + without
    if isinstance(step.quorum, int):
        return value if heads[value] >= step.quorum else None
    return value if (most > total / 2 if step.quorum is None else most >= step.quorum * total - 1e-9) else None


def random_case(chance: random.Random) -> tuple[AgentStep, list[Any], Callable[[], Sequence[str]]]:
    names = [f"v{number}" for number in range(chance.randint(2, 6))]
    late: list[str] = []

    def one(name: str) -> Any:
        output, after = chance.choice(["x", "x", "y", "z", None]), chance.choice([0.0, 0.002, 0.005, 0.01])
        confidence = chance.choice([None, 0.0, 0.25, 0.75, 1.0])
        stubborn = chance.random() < 0.3

        @specialist(name=name)
        async def votes(task: StepTask, context: StepContext) -> StepResult:
            try:
                await asyncio.sleep(after)
            except asyncio.CancelledError:
                if not stubborn:
                    raise
                late.append(name)
            if output is None:
                raise ValueError("x")
            return StepResult(output=output, confidence=confidence)

        return votes

    quorum = chance.choice([None, 1, 2, len(names), 0.3, 0.5, 1.0])
    vote = Vote(by=chance.choice(["majority", "confidence"]))
    step = AgentStep(id="v", task="t", agents=tuple(names), quorum=quorum, vote=vote)
    return step, [one(name) for name in names], lambda: late


async def test_random_votes_agree_with_a_count_of_what_is_recorded() -> None:
    chance, results = random.Random(11), Counter[str]()
    for _ in range(80):
        step, crew, late = random_case(chance)
        agent = create_plan_agent(None, crew)
        result = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(step,))})
        whole, expected = result["outcomes"]["v"], recount(step, result["outcomes"])
        assert whole.output == expected, (step, result["outcomes"])
        assert (whole.status == "succeeded") == (expected is not None)
        results[whole.status] += 1
        results["cut"] += any(one.error and one.error.code == "decided" for one in result["outcomes"].values())
        results["late"] += bool(late())
    assert min(results[one] for one in ("succeeded", "failed", "cut")) >= 10, results


async def test_a_run_that_ends_in_the_middle_of_a_vote_goes_on_with_the_ballots_that_are_recorded(
    tmp_path: Path,
) -> None:
    done: list[str] = []
    plan = Plan(steps=(review("a", "b", "c", "d", "e"),))
    path = str(tmp_path / "run.sqlite")
    with SqliteSaver.from_conn_string(path) as saver:
        slow = [voter(one, "yes", after=NEVER, done=done) for one in "cde"]
        agent = create_plan_agent(None, [voter("a", done=done), voter("b", done=done), *slow], checkpointer=saver)
        call = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}, CONFIG))
        while len((await agent.aget_state(CONFIG)).values.get("outcomes", {})) == 0 and len(done) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert sorted(done) == ["a", "b"]
    with SqliteSaver.from_conn_string(path) as saver:
        crew = [voter(one, "yes", done=done) for one in "abc"] + [voter(one, after=NEVER, done=done) for one in "de"]
        agent = create_plan_agent(None, crew, checkpointer=saver)
        result = await asyncio.wait_for(agent.ainvoke(None, CONFIG), 10)
    assert sorted(done) == ["a", "b", "c"]
    assert states(result)["review.d"] == "cancelled"
    assert (result["outcomes"]["review"].output, result["status"]) == ("yes", "complete")
