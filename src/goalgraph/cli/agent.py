"""The agent that does a run, as the run's options say."""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from goalgraph.cli.crew import Crew
from goalgraph.cli.folders import RunFolder
from goalgraph.cli.questions import approval_of
from goalgraph.cli.records import RunOptions
from goalgraph.cli.wishes import limits_of, planning_of, revision_of
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.planner.decomposer import Decomposer
from goalgraph.planner.outcome import Usage

__all__ = ["agent_of"]


def agent_of(
    options: RunOptions,
    decomposer: Decomposer,
    crew: Crew,
    folder: RunFolder,
    saver: "BaseCheckpointSaver[Any]",
    used: Usage,
) -> PlanAgent:
    """Make the agent of a run.

    Args:
        options: Of the run.
        decomposer: Where its plan comes from.
        crew: Who there is.
        folder: Where large outputs are kept.
        saver: Where the run is kept.
        used: What planning has used, outside of the run.
    """
    return create_plan_agent(
        crew.model,
        crew.registry,
        decomposer=decomposer,
        synthesis=crew.synthesize,
        execution=ExecutionPolicy(
            max_concurrency=options.max_concurrency,
            step_timeout=options.timeout,
            idle_timeout=options.idle_timeout,
            on_failure=options.on_failure,
            eager=options.eager,
        ),
        approval=approval_of(options),
        limits=limits_of(options, used),
        planning=planning_of(options),
        revision=revision_of(options),
        checkpointer=saver,
        artifacts=folder.artifacts,
        prompts=crew.prompts,
    )
