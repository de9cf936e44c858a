"""Plans for hypothesis with few ids and readable expressions, so that steps often name each other."""

from typing import Any

from hypothesis import strategies as st

from goalgraph import Plan

Data = dict[str, Any]

_EMPTY: Data = {}

ids = st.sampled_from(("a", "b", "c", "d-1", "a.b"))
_names = st.sampled_from(("a", "b", "c", "d-1", "a.b", "b.c"))
_needs = st.lists(_names, max_size=2)
_joins = st.sampled_from(("all_success", "all_success", "all_done", "any_success"))


def _expression(name: str) -> str:
    return f"steps['{name}'].output" if "-" in name else f"steps.{name}.output"


expressions = st.one_of(
    _names.map(_expression),
    st.sampled_from(("input.x", "item", "index", "now()", "true", "input.y | default(1)", "1 +")),
)
templates = expressions.map(lambda text: f"{{{{ {text} }}}}") | st.just("text")
_coordinators: st.SearchStrategy[Data] = st.just(_EMPTY) | st.lists(
    st.sampled_from(("a", "b", "c", "writer", "write", "a.b")), min_size=1, max_size=2
).map(lambda names: {"guardrails": [{"type": "approval", "require_for": names}]})


def _step(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {"type": st.just(kind), "id": ids, **fields},
        optional={"depends_on": _needs, "when": expressions, "join": _joins, "optional": st.booleans()},
    )


_inputs = st.dictionaries(st.sampled_from(("x", "y")), templates, max_size=2)
_leaves: st.SearchStrategy[Data] = st.one_of(
    _step("agent", agent=st.sampled_from(("writer", "reader", "nobody")), input=_inputs),
    _step("agent", agents=st.lists(st.sampled_from(("writer", "reader")), min_size=1, max_size=2), input=_inputs),
    _step("agent", requires=st.just(["write"])),
    _step("human_approval", prompt=st.just("Yes?")),
    _step("human_input", prompt=st.just("What?"), schema=st.just({"type": "object", "properties": {"x": {}}})),
    _step("wait", duration=st.just("1s")),
    _step("transform", output=_inputs),
    _step("sub_plan", plan=st.just("alias")),
)


def _nested(inner: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    branches = st.lists(ids | inner, max_size=2)
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("condition"), "id": ids, "if": expressions, "then": branches, "else": branches}
        ),
        _step("parallel", branches=st.lists(ids | inner | st.lists(ids | inner, min_size=1, max_size=2), min_size=1)),
        _step("map", over=st.just([1, 2]) | templates, step=inner),
        _step("sub_plan", plan=_plans(inner), input=_inputs),
    )


def _plans(steps: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "steps": st.lists(steps, max_size=5),
            "output": st.none() | templates,
            "inputs": st.just(_EMPTY) | st.just({"x": 1}),
            "coordinator": _coordinators,
        }
    )


plans: st.SearchStrategy[Plan] = _plans(st.recursive(_leaves, _nested, max_leaves=6)).map(Plan.model_validate)
"""Plans with few ids."""


@st.composite
def sound_plans(draw: st.DrawFn) -> Plan:
    """Plans whose ids are used once, and whose steps name only what stands before them."""
    count = 0

    def expression(seen: list[str]) -> str:
        return draw(st.sampled_from(("input.x", "now()", *map(_expression, seen))))

    def many(seen: list[str], depth: int, least: int = 0) -> list[Data]:
        made: list[Data] = []
        for _ in range(draw(st.integers(least, 3))):
            made.append(one([*seen, *(str(step["id"]) for step in made)], depth))
        return made

    def one(seen: list[str], depth: int) -> Data:
        nonlocal count
        count += 1
        common: Data = {"id": draw(st.sampled_from(("s", "t-", "u.x", "v_"))) + str(count), "depends_on": []}
        if draw(st.booleans()) and seen:
            common["depends_on"] = draw(st.lists(st.sampled_from(seen), max_size=2))
        if draw(st.integers(0, 3)) == 0:
            common["when"] = expression(seen)
        if draw(st.integers(0, 3)) == 0:
            common["join"] = draw(_joins)
        kind = draw(st.sampled_from((*_SIMPLE, *_GROUPS) if depth else _SIMPLE))
        match kind:
            case "agent":
                return {**common, "agent": "writer", "input": {"x": f"{{{{ {expression(seen)} }}}}"}}
            case "agents":
                return {**common, "agents": ["writer", "reader"]}
            case "human_approval":
                return {**common, "type": kind, "prompt": f"Is {{{{ {expression(seen)} }}}} right?"}
            case "transform":
                return {**common, "type": kind, "output": {"x": [f"{{{{ {expression(seen)} }}}}"]}}
            case "parallel":
                lists: list[Any] = [step if draw(st.integers(0, 1)) else [step] for step in many(seen, depth - 1, 1)]
                return {**common, "type": kind, "branches": lists}
            case "condition":
                then, otherwise = many(seen, depth - 1), many(seen, depth - 1)
                return {**common, "type": kind, "if": expression(seen), "then": then, "else": otherwise}
            case "map":
                return {**common, "type": kind, "over": [1, 2], "step": one(seen, depth - 1)}
            case _:
                plan = {"steps": many([], depth - 1, 1), "inputs": {"x": 1}, "coordinator": guardrails()}
                return {**common, "type": "sub_plan", "plan": plan, "input": {"x": f"{{{{ {expression(seen)} }}}}"}}

    def guardrails() -> Data:
        names = draw(st.lists(st.sampled_from(("writer", "read")), max_size=1))
        return {"guardrails": [{"type": "approval", "require_for": names}]} if names else {}

    return Plan.model_validate({"steps": many([], 3, 1), "coordinator": guardrails()})


_SIMPLE = ("agent", "agent", "agents", "human_approval", "transform")
_GROUPS = ("parallel", "condition", "map", "sub_plan")
