"""The graph that `langgraph dev` serves: two specialists that work by rules, so that no model is needed.

It has no checkpointer of its own: the server brings one, and refuses graphs that have theirs.
"""

from goalgraph import StepContext, StepTask, create_plan_agent, specialist

OFFERS = {"room": "the hall at the river, 400 EUR", "food": "soup and bread, 250 EUR"}


@specialist(capabilities=["offers"])
async def scout(task: StepTask, context: StepContext) -> str:
    """Finds offers: input ``kind``, a room or food."""
    kind = str(task.input.get("kind", ""))
    context.progress(f"looks for {kind or 'nothing'}")
    return OFFERS.get(kind, "nothing found")


@specialist(capabilities=["letters"])
async def writer(task: StepTask, context: StepContext) -> str:
    """Writes letters and texts from the results it is given."""
    found = [one.output for one in context.dependencies.values() if isinstance(one.output, str)]
    return "\n".join([task.instruction, *(f"- {one}" for one in found if one not in task.instruction)])


agent = create_plan_agent(None, [scout, writer])
