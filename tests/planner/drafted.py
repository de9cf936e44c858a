"""What models write as drafts, short."""

from goalgraph.planner.draft import compile_draft
from goalgraph.planner.plan import Plan, Step

Item = dict[str, object]


def work(step_id: str = "a", *needs: str, **changes: object) -> Item:
    """Make an item of the list of steps."""
    return {"id": step_id, "agent": "writer", "task": "Write it.", "depends_on": [*needs]} | changes


def team(**changes: object) -> Item:
    """Make an item of the list of teams."""
    who: Item = {"agents": ["reader", "writer"], "capabilities": list[str]()}
    return {"id": "t", **who, "task": "Judge it.", "follows": list[str]()} | changes


def each(**changes: object) -> Item:
    """Make an item of the list of maps."""
    item: Item = {"id": "m", "over": "input.files", "agent": "reader", "each": "Read {{ item }}.", "follows": []}
    return item | changes


def approval(step_id: str = "ok", *follows: str, **changes: object) -> Item:
    """Make an item of the list of approvals."""
    return {"id": step_id, "question": "Send it?", "follows": [*follows]} | changes


def question(**changes: object) -> Item:
    """Make an item of the list of questions."""
    return {"id": "q", "question": "For whom?", "fields": list[object](), "follows": list[str]()} | changes


def fork(then: list[str], otherwise: list[str], *follows: str, **changes: object) -> Item:
    """Make an item of the list of conditions."""
    item: Item = {"id": "fork", "if": "input.urgent", "then": then, "else": otherwise, "follows": [*follows]}
    return item | changes


def pause(**changes: object) -> Item:
    """Make an item of the list of waits."""
    return {"id": "w", "for": "duration", "value": "15m", "follows": list[str]()} | changes


def value(**changes: object) -> Item:
    """Make an item of the list of transforms."""
    return {"id": "v", "output": "input.rows | length", "follows": list[str]()} | changes


def draft(steps: list[Item] | None = None, **lists: list[Item]) -> dict[str, object]:
    """Make a whole draft."""
    return {"name": "n", "steps": steps or [], **lists}


def compiled(steps: list[Item] | None = None, **lists: list[Item]) -> tuple[Step, ...]:
    """Compile a draft without problems into steps."""
    plan = compile_draft(draft(steps, **lists))
    assert isinstance(plan, Plan), plan
    return plan.steps
