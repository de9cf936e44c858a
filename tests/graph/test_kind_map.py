"""Maps: one step for every item, in order, each with a record of its own."""

import asyncio
import random
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import (
    CONFIG,
    Ledger,
    Result,
    agent_of,
    agent_step,
    answer,
    asked,
    goal,
    ran,
    statuses,
    stopped_after,
    worker,
)

from goalgraph import ExecutionPolicy, Limits, StepContext, StepTask, specialist


def each(step: Result, over: Any = "{{ input.items }}", step_id: str = "m", /, **fields: Any) -> Result:
    return {"id": step_id, "type": "map", "over": over, "step": step, **fields}


def one(**fields: Any) -> Result:
    return agent_step("one", **{"input": {"of": "{{ item }}"}, **fields})


def item_of(step: str) -> str | None:
    """The item of a step such as ``m[3].open``."""
    return step.partition("]")[0] if step.startswith("m[") else None


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_the_output_is_in_the_order_of_the_items_whatever_ends_first(way: str, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"m[0]": 0.03, "m[1]": 0.01}), checkpointer=sqlite)
    plan = goal(
        each(one(input={"of": "{{ thing.name }} {{ index }}"}), **{"as": "thing"}),
        agent_step("after", input={"of": "{{ steps.m.output }}"}),
        inputs={"items": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
    )
    result = await ran(agent, plan) if way == "async" else await asyncio.to_thread(agent.invoke, plan, CONFIG)
    assert result["outcomes"]["m"].output == ["a 0", "b 1", "c 2"]
    assert result["outcomes"]["after"].output == ["a 0", "b 1", "c 2"]
    assert ledger.of("end") == ["m[2]", "m[1]", "m[0]", "after"]
    assert ledger.most() == 3
    assert {"m[0]", "m[1]", "m[2]"} <= set(result["outcomes"])
    assert result["status"] == "complete"


async def test_the_list_may_stand_there_or_come_from_a_step() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, replies={"find": [3, 4]}))
    result = await ran(
        agent, goal(each(one(), [1, "two", None]), agent_step("find"), each(one(), "{{ steps.find.output }}", "n"))
    )
    assert result["outcomes"]["m"].output == [1, "two", None]
    assert result["outcomes"]["n"].output == [3, 4]
    assert ledger.before(("end", "find"), ("start", "n[0]"))


async def test_a_map_over_nothing_gives_nothing() -> None:
    result = await ran(agent_of(worker(Ledger())), goal(each(one()), agent_step("after", "m"), inputs={"items": []}))
    assert statuses(result) == {"m": "succeeded", "after": "succeeded"}
    assert result["outcomes"]["m"].output == []


@pytest.mark.parametrize("items", ["abc", {"a": 1}, 5, None, True])
async def test_what_is_no_list_fails_the_map(items: Any) -> None:
    plan = goal(each(one()), agent_step("after", "m"), inputs={"items": items})
    result = await ran(agent_of(worker(Ledger())), plan)
    assert statuses(result) == {"m": "failed", "after": "blocked"}
    error = result["outcomes"]["m"].error
    assert error.code == "invalid_input"
    assert "must give a list" in error.message


async def test_too_many_items_fail_the_map_before_any_is_done() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), limits=Limits(max_items=3))
    result = await ran(agent, goal(each(one()), each(one(), [1, 2, 3], "n"), inputs={"items": [1, 2, 3, 4]}))
    assert (statuses(result)["m"], statuses(result)["n"]) == ("failed", "succeeded")
    error = result["outcomes"]["m"].error
    assert error.code == "too_many_items"
    assert "Limits.max_items" in error.message
    assert not [step for step in ledger.started if step.startswith("m")]


async def test_maps_in_maps_see_both_items() -> None:
    inner = each(agent_step("cell", input={"of": "{{ row }}{{ column }}{{ index }}"}), "{{ row_columns }}", "inner")
    inner |= {"over": ["x", "y"], "as": "column"}
    result = await ran(agent_of(worker(Ledger())), goal(each(inner, ["a", "b"], **{"as": "row"})))
    assert result["outcomes"]["m"].output == [["ax0", "ay1"], ["bx0", "by1"]]
    assert set(result["outcomes"]) == {"m", "m[0]", "m[1]", "m[0][0]", "m[0][1]", "m[1][0]", "m[1][1]"}


async def test_a_map_in_a_map_over_the_outer_item() -> None:
    inner = each(agent_step("cell", input={"of": "{{ cell * 10 }}"}), "{{ row }}", "inner", **{"as": "cell"})
    result = await ran(agent_of(worker(Ledger())), goal(each(inner, [[1], [], [2, 3]], **{"as": "row"})))
    assert result["outcomes"]["m"].output == [[10], [], [20, 30]]


async def test_items_of_several_steps() -> None:
    ledger = Ledger()
    work: Result = {
        "id": "work",
        "type": "sub_plan",
        "input": {"x": "{{ item }}", "far": "{{ steps.far.output }}"},
        "plan": {
            "steps": [
                agent_step("open", input={"of": "{{ input.x }}"}),
                {"id": "big", "type": "condition", "if": "input.x > 1", "then": ["grow"], "else": ["keep"]},
                agent_step("grow", input={"of": "big {{ steps.both.output.s }}"}),
                agent_step("keep", "both"),
                {
                    "id": "both",
                    "type": "parallel",
                    "branches": [agent_step("l"), [agent_step("r"), agent_step("s")]],
                    "depends_on": ["open"],
                },
                {
                    "id": "all",
                    "type": "transform",
                    "depends_on": ["grow", "keep"],
                    "join": "any_success",
                    "output": "{{ steps.grow.output or steps.keep.output }} {{ input.far }}",
                },
            ]
        },
    }
    result = await ran(agent_of(worker(ledger)), goal(agent_step("far"), each(work, [1, 2])))
    found = statuses(result)
    assert (found["m[0].grow"], found["m[0].keep"]) == ("skipped", "succeeded")
    assert (found["m[1].grow"], found["m[1].keep"]) == ("succeeded", "skipped")
    assert result["outcomes"]["m"].output == ["m[0].keep far", "big m[1].both.s far"]
    assert set(ledger.started) == {
        "far",
        *(f"m[{n}].{rest}" for n in (0, 1) for rest in ("open", "both.l", "both.r", "both.s")),
        "m[0].keep",
        "m[1].grow",
    }


async def test_a_condition_on_an_item_leaves_a_gap() -> None:
    result = await ran(agent_of(worker(Ledger())), goal(each(one(when="item != 2"), [1, 2, 3])))
    assert result["outcomes"]["m"].output == [1, None, 3]
    assert (statuses(result)["m"], statuses(result)["m[1]"]) == ("succeeded", "skipped")


async def test_a_map_whose_items_are_all_skipped_is_skipped() -> None:
    plan = goal(each(one(when="item > 5"), [1, 2]), agent_step("after", "m"))
    result = await ran(agent_of(worker(Ledger())), plan)
    assert (statuses(result)["m"], statuses(result)["after"]) == ("skipped", "skipped")


FAILURES: dict[str, tuple[list[str], str, object]] = {
    "fail_fast": (["succeeded", "failed", "cancelled", "cancelled"], "failed", ["a", None, None, None]),
    "wait_all": (["succeeded", "failed", "succeeded", "succeeded"], "failed", ["a", None, "c", "d"]),
    "continue": (["succeeded", "failed", "succeeded", "succeeded"], "succeeded", ["a", None, "c", "d"]),
}


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("rule", FAILURES)
async def test_what_the_failure_of_an_item_does(rule: str, limit: int | None, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    seconds = {"m[0]": 0.002, "m[1]": 0.012, "m[2]": 0.04, "m[3]": 0.04}
    agent = agent_of(worker(ledger, seconds=seconds, fails=["m[1]"]), checkpointer=sqlite)
    fields = {} if limit is None else {"concurrency": limit}
    plan = goal(each(one(), list("abcd"), on_failure=rule, **fields), agent_step("after", "m"), agent_step("beside"))
    result = await ran(agent, plan)
    items, whole, output = FAILURES[rule]
    found = statuses(result)
    assert [found[f"m[{number}]"] for number in range(4)] == items
    assert found["m"] == whole
    assert result["outcomes"]["m"].output == output
    assert (found["after"], found["beside"]) == ("succeeded" if whole == "succeeded" else "blocked", "succeeded")
    if whole == "failed":
        assert "'m[1]' failed: ValueError: m[1] is broken" in result["outcomes"]["m"].error.message
    else:
        assert result["degraded"]


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_items_are_at_work_than_allowed(limit: int) -> None:
    ledger = Ledger()
    work: Result = {"id": "work", "type": "parallel", "branches": [agent_step("a"), [agent_step("b"), agent_step("c")]]}
    result = await ran(agent_of(worker(ledger, seconds=0.002)), goal(each(work, list(range(7)), concurrency=limit)))
    assert set(statuses(result).values()) == {"succeeded"}
    assert len(ledger.started) == 21
    assert ledger.most(item_of) == limit


@pytest.mark.parametrize("most", [1, 2])
async def test_maps_share_the_places_of_the_run_and_of_specialists(most: int) -> None:
    ledger, scarce = Ledger(), Ledger()
    inner = each(agent_step("cell", input={"of": "{{ row + cell }}"}), [1, 2], "inner", **{"as": "cell"})
    plan = goal(
        each(inner, [10, 20, 30], **{"as": "row"}, concurrency=2),
        each(agent_step("one", agent="scarce"), [1, 2, 3], "n"),
        agent_step("beside"),
    )
    agent = agent_of(
        worker(ledger, seconds=0.002),
        worker(scarce, "scarce", seconds=0.002, max_concurrency=1),
        execution=ExecutionPolicy(max_concurrency=most),
    )
    result = await ran(agent, plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert result["outcomes"]["m"].output == [[11, 12], [21, 22], [31, 32]]
    assert ledger.most() <= most
    assert scarce.most() == 1


async def test_items_have_retries_timeouts_and_fallbacks() -> None:
    tries: list[str] = []

    @specialist
    async def flaky(task: StepTask, context: StepContext) -> str:
        tries.append(task.step)
        if task.input["of"] == "slow":
            await asyncio.sleep(5)
        if task.input["of"] == "again" and context.attempt < 2:
            raise ConnectionError("once more")
        return "flaky"

    step = one(agent="flaky", retry={"max_attempts": 2, "initial_seconds": 0}, timeout=0.03, fallback=["worker"])
    result = await ran(agent_of(flaky, worker(Ledger())), goal(each(step, ["slow", "again", "fine"])))
    assert result["outcomes"]["m"].output == ["slow", "flaky", "flaky"]
    assert [result["outcomes"][f"m[{number}]"].attempts for number in range(3)] == [3, 2, 1]
    assert result["outcomes"]["m[0]"].specialist == "worker"
    assert sorted(tries) == ["m[0]", "m[0]", "m[1]", "m[1]", "m[2]"]


async def test_an_item_cancelled_while_it_waits_for_a_fallbacks_place_takes_none() -> None:
    ledger = Ledger()
    scarce = worker(ledger, "scarce", seconds=0.03, max_concurrency=1)
    bad = worker(Ledger(), "bad", fails=[f"m[{number}]" for number in range(5)])
    plan = goal(
        each(agent_step("one", agent="bad", fallback=["scarce"]), [0, 1, 2], timeout=0.05),
        agent_step("before", agent="scarce"),
        *(agent_step(f"later{number}", agent="scarce", depends_on=["before"]) for number in range(4)),
    )
    result = await ran(agent_of(scarce, bad), plan)
    assert statuses(result)["m"] == "failed"
    assert {statuses(result)[f"later{number}"] for number in range(4)} == {"succeeded"}
    assert ledger.most() == 1


async def test_a_map_whose_time_is_up_fails_with_what_there_is() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"m[1]": 5}))
    plan = goal(each(one(), list("abcd"), timeout=0.06, concurrency=1), agent_step("after", "m", join="all_done"))
    result = await ran(agent, plan)
    assert statuses(result) == {
        "m[0]": "succeeded",
        "m[1]": "cancelled",
        "m[2]": "cancelled",
        "m[3]": "cancelled",
        "m": "failed",
        "after": "succeeded",
    }
    assert result["outcomes"]["m"].error.code == "timeout"
    assert result["outcomes"]["m"].output == ["a", None, None, None]


@pytest.mark.parametrize("limit", [None, 1, 2])
async def test_recorded_items_do_not_run_again_in_another_process(limit: int | None, sqlite: SqliteSaver) -> None:
    """In the first one the middle item hangs; those recorded are not the first ones, and leave gaps in the queue."""
    first, second = Ledger(), Ledger()
    hang = {"m[1]": 30.0, "m[4]": 30.0} if limit != 1 else {"m[2]": 30.0}
    done = {None: {0, 2, 3, 5, 6}, 1: {0, 1}, 2: {0, 2, 3}}[limit]
    fields = {} if limit is None else {"concurrency": limit}
    plan = goal(
        agent_step("before"), each(one(depends_on=["before"]), list(range(7)), **fields), agent_step("after", "m")
    )
    await stopped_after(
        agent_of(worker(first, seconds=hang), checkpointer=sqlite),
        plan,
        lambda: (
            set(first.of("end")) == {"before", *(f"m[{number}]" for number in done)} and set(hang) <= set(first.started)
        ),
    )
    result = await ran(agent_of(worker(second, seconds=0.002), checkpointer=sqlite), None)
    assert set(second.started) == {"after", *(f"m[{number}]" for number in range(7) if number not in done)}
    assert result["outcomes"]["m"].output == list(range(7))
    assert second.most(item_of) <= (limit or 7)
    again = set(first.keys) & set(second.keys)
    assert again == set(hang)
    assert all(first.keys[step] == second.keys[step] for step in again)


async def test_recorded_items_of_a_map_in_a_map_do_not_run_again(sqlite: SqliteSaver) -> None:
    first, second = Ledger(), Ledger()
    inner = each(
        agent_step("cell", input={"of": "{{ row }}{{ cell }}"}), "{{ input.cells }}", "inner", **{"as": "cell"}
    )
    plan = goal(
        each({"id": "p", "type": "parallel", "branches": [inner, agent_step("b")]}, ["a", "b", "c"], **{"as": "row"}),
        inputs={"cells": [1, 2, 3]},
    )
    hang = {"m[1].inner[1]": 30.0, "m[2].b": 30.0}
    await stopped_after(
        agent_of(worker(first, seconds=hang), checkpointer=sqlite), plan, lambda: len(first.of("end")) == 10
    )
    result = await ran(agent_of(worker(second), checkpointer=sqlite), None)
    assert set(second.started) == set(hang)
    assert all(first.keys[step] == second.keys[step] for step in hang)
    assert result["outcomes"]["m"].output == [
        {"inner": [f"{row}1", f"{row}2", f"{row}3"], "b": f"m[{number}].b"} for number, row in enumerate("abc")
    ]


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("seed", range(3))
async def test_questions_of_items_are_answered_in_any_order(
    at_once: bool, seed: int, limit: int | None, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    work: Result = {
        "id": "work",
        "type": "sub_plan",
        "input": {"x": "{{ item }}"},
        "plan": {
            "steps": [
                agent_step("open"),
                {"id": "who", "type": "human_input", "prompt": "Who does {{ input.x }}?", "depends_on": ["open"]},
                agent_step("close", input={"of": "{{ steps.who.output }}"}),
            ]
        },
    }
    fields = {} if limit is None else {"concurrency": limit}
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    result = await ran(agent, goal(each(work, list("abcd"), **fields), agent_step("beside")))
    assert {step: one.value["prompt"] for step, one in asked(result).items()} == {
        f"m[{number}].who": f"Who does {letter}?" for number, letter in enumerate("abcd")
    }
    assert set(ledger.started) == {"beside", *(f"m[{number}].open" for number in range(4))}
    answers = {step: f"{step} does" for step in asked(result)}
    if at_once:
        result = await ran(agent, answer(result, answers))
    else:
        for step in random.Random(seed).sample(sorted(answers), 4):
            result = await ran(agent, answer(result, {step: answers.pop(step)}))
            assert set(asked(result)) == set(answers)
            assert f"{step.removesuffix('who')}close" in ledger.started, "what needs no other answer goes on at once"
    assert result["outcomes"]["m"].output == [f"m[{number}].who does" for number in range(4)]
    assert len(ledger.started) == len(set(ledger.started)) == 9, "nothing that was finished ran again"


async def test_a_single_question_of_an_item_can_be_answered_without_its_id() -> None:
    from langgraph.types import Command

    asks: Result = {"id": "ask", "type": "human_input", "prompt": "{{ item }}?", "when": "item == 'b'"}
    agent = agent_of(worker(Ledger()))
    paused = await ran(agent, goal(each(asks, ["a", "b"])))
    assert list(asked(paused)) == ["m[1]"]
    result = await ran(agent, Command(resume="yes"))
    assert result["outcomes"]["m"].output == [None, "yes"]


async def test_an_interrupt_inside_of_an_items_specialist_is_answered_too() -> None:
    from langgraph.types import Command, interrupt

    @specialist
    async def asks(task: StepTask, context: StepContext) -> str:
        return f"{task.input['of']} {interrupt({'step': task.step})}"

    agent = agent_of(asks)
    paused = await ran(agent, goal(each(one(agent="asks"), ["a", "b"])))
    assert set(asked(paused)) == {"m[0]", "m[1]"}
    paused = await ran(agent, answer(paused, {"m[1]": "second"}))
    assert set(asked(paused)) == {"m[0]"}
    result = await ran(agent, Command(resume={asked(paused)["m[0]"].id: "first"}))
    assert result["outcomes"]["m"].output == ["a first", "b second"]


async def test_questions_of_maps_in_maps() -> None:
    ledger = Ledger()
    inner = each(
        {"id": "ask", "type": "human_input", "prompt": "{{ row }}{{ cell }}?"}, [1, 2], "inner", **{"as": "cell"}
    )
    agent = agent_of(worker(ledger))
    result = await ran(agent, goal(each(inner, ["a", "b"], **{"as": "row"}), agent_step("beside")))
    assert len(asked(result)) == 4
    for step in ("m[1][0]", "m[0][1]", "m[0][0]"):
        result = await ran(agent, answer(result, {step: step}))
    assert set(asked(result)) == {"m[1][1]"}
    result = await ran(agent, answer(result, {"m[1][1]": "last"}))
    assert result["outcomes"]["m"].output == [["m[0][0]", "m[0][1]"], ["m[1][0]", "last"]]
    assert ledger.started == ["beside"]


async def test_many_items() -> None:
    ledger = Ledger()
    saver = InMemorySaver()
    plan = goal(
        each(one(), "{{ range(300) }}"), {"id": "n", "type": "transform", "output": "{{ steps.m.output | sum }}"}
    )
    result = await ran(agent_of(worker(ledger), checkpointer=saver), plan, seconds=20)
    assert result["outcomes"]["n"].output == 300 * 299 // 2
    assert len(ledger.started) == 300


@pytest.mark.parametrize("kind", ["fail_fast", "concurrency", "timeout", "sub_plan"])
async def test_groups_in_items_have_their_limits(kind: str) -> None:
    ledger = Ledger()
    branches = [agent_step("a"), agent_step("b"), agent_step("c")]
    kinds: dict[str, Result] = {
        "fail_fast": {"on_failure": "fail_fast"},
        "concurrency": {"concurrency": 1},
        "timeout": {"timeout": 0.05},
        "sub_plan": {"timeout": 0.05},
    }
    limits = kinds[kind]
    group: Result = {"id": "in", "type": "parallel", "branches": branches, **limits}
    if kind == "sub_plan":
        group = {"id": "in", "type": "sub_plan", "plan": {"steps": branches}, **limits}
    slow = {} if kind == "concurrency" else {"m[0].b": 5.0, "m[1].b": 0.02}
    agent = agent_of(worker(ledger, seconds=slow, fails=["m[0].a"] if kind == "fail_fast" else []))
    result = await ran(agent, goal(each(group, [0, 1], on_failure="continue")))
    found = statuses(result)
    if kind == "concurrency":
        assert set(found.values()) == {"succeeded"}
        assert ledger.most(lambda step: step if step.startswith("m[0]") else None) == 1
        assert ledger.most() == 2
    else:
        assert (found["m[0].b"], found["m[0]"]) == ("cancelled", "failed")
        assert (found["m[1].b"], found["m[1]"], found["m"]) == ("succeeded",) * 3


async def test_a_map_in_an_items_group_is_stopped_with_it() -> None:
    inner = each(agent_step("cell"), [1, 2], "deep")
    group: Result = {"id": "in", "type": "parallel", "branches": [agent_step("a"), inner], "on_failure": "fail_fast"}
    ledger = Ledger()
    slow = {"m[0].a": 0.02, "m[0].deep[0]": 5.0, "m[0].deep[1]": 5.0}
    result = await ran(agent_of(worker(ledger, seconds=slow, fails=["m[0].a"])), goal(each(group, [0])))
    assert {step: state for step, state in statuses(result).items() if "deep" in step} == dict.fromkeys(
        ("m[0].deep", "m[0].deep[0]", "m[0].deep[1]"), "cancelled"
    )
    assert sorted(ledger.of("cancel")) == ["m[0].deep[0]", "m[0].deep[1]"]


async def test_the_time_of_a_map_counts_from_its_first_item_in_whatever_process(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(each(one(), ["a", "b"], timeout=0.5))
    agent = agent_of(worker(ledger, seconds={"m[1]": 30}), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: ledger.of("end") == ["m[0]"])
    await asyncio.sleep(0.3)
    result = await ran(agent_of(worker(Ledger(), seconds=0.4), checkpointer=sqlite), None)
    assert statuses(result) == {"m[0]": "succeeded", "m[1]": "cancelled", "m": "failed"}
    assert result["outcomes"]["m"].error.code == "timeout"
