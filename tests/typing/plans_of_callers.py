"""What type checkers see of a plan written in Python; never run."""

from typing import assert_type

from goalgraph.planner.builder import PlanBuilder, Reference, StepRef, expr, item, steps
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import InMemoryLibrary, PlanLibrary
from goalgraph.planner.patterns import consensus, pipeline, route
from goalgraph.planner.plan import AgentStep, MapStep, Plan

plan = PlanBuilder("intake", inputs={"files": ["a.txt"]})
read = plan.agent("read", "Read it", agent="reader", input={"of": plan.input.files, "n": [1, None, {"x": item}]})
assert_type(read, StepRef)
assert_type(read.output, Reference)
assert_type(read.output.rows[0]["a b"].c, Reference)
assert_type(expr(read.output), str)
assert_type(steps.agent("a"), AgentStep)
assert_type(steps.map("m", read.output, steps.agent("a")), MapStep)
plan.approval("ok", f"Right? {read.output}", assignee=plan.input.owner, depends_on=[read, "other"], join="all_done")
plan.condition("c", read.output.good, then=[read, steps.wait("w", "3s")], otherwise="other")
plan.parallel("p", [steps.agent("a"), [steps.agent("b"), read]], on_failure="continue")
plan.sub_plan("s", pipeline("reader", ("writer", "Write"), steps.agent("c")), when=read.output)
assert_type(plan.build(output=read.output), Plan)

plan.agent("a", agnt="reader")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
plan.agent("a", timeout="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
plan.agent("a", join="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
plan.agent("a", input={"x": object()})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
plan.approval("ok")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
plan.agent(step_id="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

assert_type(consensus("Safe?", ["a", ("b", "Look")], "c"), Plan)
route("a", {"x": "b"})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

libraries: list[PlanLibrary] = [InMemoryLibrary(), FolderLibrary("plans")]
