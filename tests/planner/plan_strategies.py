"""Plans of any form for hypothesis: every type of step, nested, with texts that are hard to write.

They have the form of plans; whether they make sense (ids used twice, unknown dependencies, broken expressions) is left
to chance.
"""

from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph.planner.plan import (
    AgentStep,
    ApprovalGuardrail,
    BudgetGuardrail,
    ConditionStep,
    Coordinator,
    HumanApprovalStep,
    HumanInputStep,
    Join,
    MapStep,
    OnFailure,
    ParallelStep,
    Plan,
    Retry,
    Step,
    SubPlanStep,
    TimeoutGuardrail,
    TransformStep,
    WaitStep,
)

HARD = (
    *("no", "1:30", "{{ x }}", " a", "a ", "\n", "\x85", "\u2028", "# c", "- a", "a: b", "\t", "~", "{", "'", '"', "é"),
    *("\x00", "\ufeff", "|", "> x", "0x1f", "1e3", "2020-01-01", "null", "<<", "---", "\r\n", "\x1b", "&a", "*a", "!!"),
    *("0o17", "010", ".nan", ".inf", "y", "True", "1_000", "\\", "? a", "%", "@", "`", "\n\n", "\x7f", "\ufffe", "\\ "),
    *("{{ steps['a b'].output }}", 'say "no"', "a" * 130, "two words " * 15, "...", "=", ": ", " #", "a:", "\u0300"),
)
"""Pieces of text that writers and readers of YAML get wrong."""

texts = st.lists(
    st.sampled_from(HARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=12
).map("".join)
"""Any text without halves of characters."""

values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
"""Any JSON."""

step_ids = st.sampled_from(("a", "b", "no", "1", "0x1f", "a.b", "a-b", "null", "_", "1e3", "010")) | st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,12}", fullmatch=True
)
_said = texts.map(lambda text: f"x{text}")
_names = _said.map(lambda text: text[:100])
_few_names = st.lists(_names, max_size=2).map(tuple)
_objects = st.dictionaries(texts, values, max_size=2)
_seconds = st.floats(0.001, 1e9) | st.integers(1, 10**9)
_counts = st.none() | st.integers(1, 1_000_000)
_durations = st.none() | st.sampled_from(("90s", "1h30m", "{{ input.wait }}", 3, 0.5))
_joins: st.SearchStrategy[Join] = st.sampled_from(("all_success", "all_done", "any_success"))
_failures: st.SearchStrategy[OnFailure] = st.sampled_from(("fail_fast", "continue", "wait_all"))
_retries = st.builds(
    Retry,
    max_attempts=st.integers(1, 100),
    initial_seconds=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    max_seconds=st.floats(0, 1e6),
)


def _built(model: Callable[..., Step], **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    """Build a step, each of whose optional fields may be absent."""
    common: dict[str, st.SearchStrategy[object]] = {
        "depends_on": st.lists(step_ids, max_size=2).map(tuple),
        "when": st.none() | texts,
        "join": _joins,
        "optional": st.booleans(),
    }
    required = {"id", "prompt", "test", "branches", "over", "step", "plan", "output"}
    all_fields = {"id": step_ids, **common, **fields}
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in all_fields.items() if name in required},
        optional={name: strategy for name, strategy in all_fields.items() if name not in required},
    ).map(lambda given: model(**given))


_agents = _built(
    AgentStep,
    task=_said,
    agent=_names,
    agents=_few_names,
    requires=_few_names,
    input=_objects,
    timeout=_seconds,
    retry=_retries,
    fallback=_few_names,
    constraints=st.lists(_said, max_size=2).map(tuple),
    min_confidence=st.floats(0, 1),
)
_simple: st.SearchStrategy[Step] = st.one_of(
    _agents,
    _built(
        HumanApprovalStep,
        prompt=_said,
        assignee=_said,
        deadline=_durations,
        on_timeout=st.sampled_from(("reject", "approve", "escalate")),
    ),
    _built(HumanInputStep, prompt=_said, answer_schema=_objects, assignee=_said, deadline=_durations),
    _built(
        WaitStep,
        duration=_durations,
        until=st.sampled_from(("2026-03-01T09:00:00+01:00", "{{ input.when }}")),
        event=_names,
        timeout=_seconds,
    ),
    _built(TransformStep, output=values),
    _built(SubPlanStep, plan=_names, input=_objects, timeout=_seconds),
)


def _nested(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    branches = st.lists(step_ids | inner, max_size=2).map(tuple)
    lists = st.lists(step_ids | inner, min_size=1, max_size=2).map(tuple)
    part = partial(st.lists, min_size=1, max_size=3)
    return st.one_of(
        _built(ConditionStep, test=_said, then=branches, otherwise=branches),
        _built(
            ParallelStep,
            branches=part(step_ids | inner | lists).map(tuple),
            concurrency=_counts,
            on_failure=_failures,
            timeout=_seconds,
            output=values,
        ),
        _built(
            MapStep,
            over=texts | st.lists(values, max_size=2),
            variable=st.sampled_from(("item", "row", "no")),
            step=inner,
            concurrency=_counts,
            on_failure=_failures,
            timeout=_seconds,
        ),
        _built(SubPlanStep, plan=_plans_of(inner), input=_objects, timeout=_seconds),
    )


_coordinators = st.builds(
    Coordinator,
    id=_names,
    strategy=st.sampled_from(("parallel", "sequential")),
    guardrails=st.lists(
        st.builds(BudgetGuardrail, max_cost_usd=st.floats(0.01, 1e6))
        | st.builds(TimeoutGuardrail, max_seconds=_seconds)
        | st.builds(ApprovalGuardrail, require_for=st.lists(_names, min_size=1, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
)


def _plans_of(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Plan]:
    return st.fixed_dictionaries(
        {"steps": st.lists(inner, max_size=3).map(tuple)},
        optional={
            "name": texts.map(lambda text: text[:200]),
            "description": texts,
            "inputs": _objects,
            "coordinator": _coordinators,
            "output": values,
        },
    ).map(Plan.model_validate)


steps: st.SearchStrategy[Step] = st.recursive(_simple, _nested, max_leaves=4)
"""Any step."""

plans: st.SearchStrategy[Plan] = _plans_of(steps)
"""Any plan."""


def examples(count: int) -> settings:
    """Settings for so many plans, on machines of any speed."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
