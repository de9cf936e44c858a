"""Hooks: how they are collected, called, and what becomes of those that raise."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from goalgraph import HookFailed, Ruling, on_assignment, on_conflict, on_escalation, on_quorum, on_step_complete
from goalgraph.graph import Hooks, as_hooks
from goalgraph.graph.steps.attempts import Exiting


@on_conflict
def plain(told: object) -> str:
    return f"plain {told}"


@on_conflict
async def awaited(told: object) -> str:
    await asyncio.sleep(0)
    return f"awaited {told}"


def unmarked(prefix: str, told: object) -> str:
    return f"{prefix} {told}"


class Base:
    @on_conflict
    def judge(self, told: object) -> object:
        return f"base {told}"

    @on_escalation
    async def expert(self, told: object) -> object:
        return f"expert {told}"


class Sub(Base):
    def judge(self, told: object) -> object:
        return f"sub {told}"


class Several:
    @on_conflict
    @on_escalation
    def both(self, told: object) -> object:
        return f"both {told}"

    @staticmethod
    @on_assignment
    def static(told: object) -> object:
        return f"static {told}"

    @on_step_complete
    @classmethod
    def own(cls, told: object) -> object:
        return f"{cls.__name__} {told}"


class Judge:
    async def __call__(self, told: object) -> object:
        return f"called {told}"


def instance_with_its_own() -> object:
    return SimpleNamespace(one=plain, other=3)


@pytest.mark.parametrize(
    ("given", "moment", "expected"),
    [
        (plain, "conflict", ("plain x", "plain")),
        (awaited, "conflict", ("awaited x", "awaited")),
        (Base(), "conflict", ("base x", "Base.judge")),
        (Base(), "escalation", ("expert x", "Base.expert")),
        (Sub(), "conflict", ("sub x", "Sub.judge")),
        (Sub(), "escalation", ("expert x", "Base.expert")),
        (Several(), "conflict", ("both x", "Several.both")),
        (Several(), "escalation", ("both x", "Several.both")),
        (Several(), "assignment", ("static x", "Several.static")),
        (Several(), "step_complete", ("Several x", "Several.own")),
        (on_conflict(partial(unmarked, "partly")), "conflict", ("partly x", "unmarked")),
        ({"on_conflict": Judge()}, "conflict", ("called x", "Judge")),
        ({"conflict": Base().judge}, "conflict", ("base x", "Base.judge")),
        (Base().judge, "conflict", ("base x", "Base.judge")),
        ([{"on_escalation": plain}, Base()], "escalation", ("plain x", "plain")),
        (as_hooks(plain), "conflict", ("plain x", "plain")),
        (instance_with_its_own(), "conflict", ("plain x", "plain")),
    ],
    ids=[
        "function",
        "async function",
        "method",
        "async method",
        "method that overrides one",
        "inherited",
        "marked twice",
        "marked twice, the other",
        "static",
        "of the class",
        "partial",
        "callable object in a mapping",
        "mapping without on_",
        "bound method",
        "the first of several",
        "hooks as they are",
        "attribute of an object",
    ],
)
async def test_hooks_are_found_wherever_they_are_and_told(
    given: object, moment: Any, expected: tuple[str, str]
) -> None:
    found = await as_hooks(given).ruling(moment, "x")
    assert found is not None
    ruling, name = found
    assert (ruling, name.rpartition(">.")[2]) == (Ruling(chosen=expected[0]), expected[1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Base, "give Base(...), not the class"),
        (object(), "mark methods, as with @on_conflict"),
        (unmarked, "mark methods"),
        (None, "mark methods"),
        ({"on_dinner": plain}, "no hook: 'on_dinner'; there are: on_assignment"),
        ({"on_conflict": "plain"}, "no hook: 'on_conflict'"),
        ([plain, 3], "3 has no hooks"),
    ],
    ids=["class", "object", "function without a mark", "nothing", "unknown moment", "no function", "one of several"],
)
def test_what_has_no_hooks_is_refused(given: object, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        as_hooks(given)
    assert said in str(caught.value)


def test_what_cannot_be_marked_is_refused_with_another_way() -> None:
    with pytest.raises(TypeError, match="give as_hooks a mapping"):
        on_conflict(len)
    with pytest.raises(ValueError, match="threshold must be at least 1, found 0"):
        on_quorum(threshold=0)


async def test_the_first_hook_that_decides_ends_the_questions_and_all_are_told() -> None:
    called: list[str] = []

    def says(name: str, value: object) -> Callable[[object], object]:
        def hook(told: object) -> object:
            called.append(name)
            return value

        return hook

    hooks = as_hooks([{"on_conflict": says(name, value)} for name, value in (("a", None), ("b", 0), ("c", "late"))])
    found = await hooks.ruling("conflict", "x")
    assert found is not None
    assert found[0] == Ruling(chosen=0), "nothing but None is no decision"
    assert called == ["a", "b"]
    await hooks.tell("conflict", "x")
    assert called == ["a", "b", "a", "b", "c"]
    assert await Hooks().ruling("conflict", "x") is None


async def test_a_threshold_is_kept_for_functions_methods_and_mappings() -> None:
    @on_quorum(threshold=2)
    def two(told: object) -> str:
        return "two"

    for given in (two, {"on_quorum": two}):
        assert await as_hooks(given).ruling("quorum", "x", number=1) is None
        assert await as_hooks(given).ruling("quorum", "x", number=2) is not None


async def test_a_function_that_is_not_async_may_block() -> None:
    threads: list[int] = []

    def hook(told: object) -> None:
        threads.append(threading.get_ident())

    await as_hooks({"on_step_complete": hook}).tell("step_complete", "x")
    assert threads != [threading.get_ident()]


def _raises(error: BaseException) -> Callable[[object], object]:
    def raising(told: object) -> object:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("no\nway"), "ValueError: no way"), (asyncio.CancelledError(), "CancelledError")],
    ids=["error", "a cancellation of its own"],
)
async def test_a_hook_that_raises_is_named(error: BaseException, said: str) -> None:
    with pytest.raises(HookFailed) as caught:
        await as_hooks({"on_conflict": _raises(error)}).tell("conflict", "x")
    assert f"raising raised {said}; mend it, and resume the run" in str(caught.value)
    assert caught.value.hook.endswith("raising")
    assert caught.value.__cause__ is error


async def test_what_is_no_failure_passes() -> None:
    with pytest.raises(GraphInterrupt):
        await as_hooks({"on_conflict": _raises(GraphInterrupt(()))}).tell("conflict", "x")
    with pytest.raises(Exiting) as caught:
        await as_hooks({"on_conflict": _raises(KeyboardInterrupt())}).tell("conflict", "x")
    assert isinstance(caught.value.carried, KeyboardInterrupt)


async def test_a_hook_is_cancelled_with_the_run() -> None:
    async def endless(told: object) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(as_hooks({"on_conflict": endless}).tell("conflict", "x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
