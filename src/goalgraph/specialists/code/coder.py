"""The coder: does steps by running Python programs in a sandbox, given ones or those that a model writes."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from goalgraph.errors import InvalidData, InvalidSpecialist, ProgramFailed
from goalgraph.models import model_name, resolve_model
from goalgraph.planner.card import SpecialistCard
from goalgraph.prompts import Prompts
from goalgraph.specialists.artifacts import ArtifactStore
from goalgraph.specialists.builtin.prompting import Writer, writer_of
from goalgraph.specialists.code.local import LocalSandbox
from goalgraph.specialists.code.program import Program, ProgramResult, Sandbox, SandboxLimits
from goalgraph.specialists.code.results import GIVEN, WRITTEN, failure_of, input_json, keep, output_of, source_in
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["CodeSpecialist", "code_specialist"]

_CODE = "code"
"""Argument of a step that holds the program."""


class CodeSpecialist:
    """Runs the Python program in a step's input ``code``, or one that a model writes for the step.

    The program reads ``input.json`` (``instruction``, ``input``, ``results`` of the dependencies by step) and writes
    ``output.json``, or prints. A program that was given is run as it is, once, so that whoever approved the step has
    approved what runs; one that a model wrote goes back to it with its error, a bounded number of times. A run that
    breaks down may run it again: without effects outside of the sandbox, that does no harm.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        card: SpecialistCard,
        *,
        writer: Writer | None,
        packages: Sequence[str],
        max_repairs: int,
        seconds: float,
    ) -> None:
        self.card = card
        self._sandbox = sandbox
        self._writer = writer
        self._packages = tuple(packages)
        self._max_repairs = max_repairs
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"<code specialist {self.card.name!r}>"

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Run the program; a cancelled step ends it at once.

        Raises:
            InvalidData: The step's ``code`` is no program, or it has none and there is no model.
            ProgramFailed: The program failed, the last of its repairs included.
            ModelFailed: The model could not be called.
        """
        given = task.input.get(_CODE)
        if given is not None and not (isinstance(given, str) and given.strip()):
            raise InvalidData(f"the input {_CODE!r} is a Python program, found {given!r:.100}", hint="write it as text")
        files = {GIVEN: await asyncio.to_thread(input_json, task, context, _CODE)}
        if given is not None:
            context.progress("running the program")
            result = await self._sandbox.run(Program(source=given, files=files))
            return await self._read(given, result, failure_of(result, task.output_schema), task, context)
        if self._writer is None:
            raise InvalidData(
                f"the step {task.step!r} gives no program", hint=f"give it as the input {_CODE!r}, or give a model"
            )
        return await self._written(self._writer, files, task, context)

    async def _written(
        self, writer: Writer, files: dict[str, bytes], task: StepTask, context: StepContext
    ) -> StepResult:
        source = failure = ""
        lacking: tuple[str, ...] = ()
        for repairs in range(self._max_repairs + 1):
            context.progress(f"repairing the program ({repairs})" if repairs else "writing the program")
            answer = await writer.write(
                "code",
                task,
                context,
                major=sys.version_info.major,
                minor=sys.version_info.minor,
                seconds=int(self._seconds),
                packages=", ".join(self._packages) or "nothing",
                has_schema=int(task.output_schema is not None),
                schema=json.dumps(task.output_schema or {}, ensure_ascii=False),
                repairs=repairs,
                program=source,
                failure=failure,
            )
            source, lacking = source_in(answer.text), tuple(dict.fromkeys((*lacking, *answer.lacking)))
            context.progress("running the program")
            result = await self._sandbox.run(Program(source=source, files=files))
            failure = failure_of(result, task.output_schema)
            if not failure or repairs == self._max_repairs:
                return await self._read(source, result, failure, task, context, lacking)
        raise AssertionError("the last program has been returned")

    async def _read(
        self,
        source: str,
        result: ProgramResult,
        failure: str,
        task: StepTask,
        context: StepContext,
        lacking: tuple[str, ...] = (),
    ) -> StepResult:
        """Make a result of what came of the program.

        Raises:
            ProgramFailed: Nothing usable.
        """
        if failure:
            lines = failure.splitlines()
            told = lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1][:500]}"
            raise ProgramFailed(
                f"the program of step {task.step!r} failed: {told}", ended=result.ended, exit_code=result.exit_code
            )
        notes = list(lacking) + list(result.notes)
        store: ArtifactStore | None = context.artifacts
        artifacts = await asyncio.to_thread(keep, result, source, store) if store is not None else ()
        dropped = sorted(name for name in result.files if name != WRITTEN)
        if store is None and dropped:
            shown = ", ".join(map(repr, dropped[:5])) + (" and more" if len(dropped) > 5 else "")
            notes.append(f"the files that the program wrote are not kept, since there is no store for them: {shown}")
        return StepResult(output=output_of(result), artifacts=artifacts, degraded=tuple(notes))


def code_specialist(
    model: "str | BaseChatModel | None" = None,
    sandbox: Sandbox | None = None,
    *,
    name: str = "coder",
    description: str | None = None,
    packages: Sequence[str] = (),
    max_repairs: int = 2,
    effects: bool | None = None,
    max_concurrency: int | None = None,
    prompts: Prompts | None = None,
    max_input_tokens: int | None = None,
) -> CodeSpecialist:
    """Make a specialist that runs Python programs.

    Which programs may run at all, and whether somebody looks at them before, is for the caller's `ApprovalPolicy` to
    say: ``ApprovalPolicy(steps=["coder"])`` shows a program that stands in the step's input before it runs. A program
    that a model writes exists only after the approval.

    Args:
        model: Writes the programs; None: only those in a step's input ``code`` run.
        sandbox: Where they run; None: a `LocalSandbox` with its usual limits.
        name: Its name.
        description: What planners choose by.
        packages: Names that the model is told it may import. Without a sandbox of the caller's, programs then see all
            packages of this interpreter; otherwise it is for the sandbox to have them.
        max_repairs: How often a failed program goes back to the model.
        effects: Whether programs can have effects outside of the run; None: only where the sandbox is a `LocalSandbox`
            that does not confine them.
        max_concurrency: Most of its steps in one run at the same time.
        prompts: What the model is told (template ``code``); None: the built-in prompts.
        max_input_tokens: Of a prompt; None: three quarters of the model's window.

    Raises:
        ValueError: ``max_repairs`` is negative, or ``max_input_tokens`` not positive.
        InvalidSpecialist: ``packages`` is one text.
        NoConfinement: Without a sandbox of the caller's: programs cannot be confined here.
    """
    if isinstance(packages, str):
        raise InvalidSpecialist(f"packages are a list of names, found {packages!r}", hint=f"write [{packages!r}]")
    if max_repairs < 0:
        raise ValueError(f"max_repairs must be 0 or more, found {max_repairs!r}")
    used = LocalSandbox(packages=bool(packages)) if sandbox is None else sandbox
    local = used if isinstance(used, LocalSandbox) else None
    limits = local.limits if local is not None else SandboxLimits()
    chat = None if model is None else resolve_model(model)
    unconfined = local is not None and local.confinement == "none"
    return CodeSpecialist(
        used,
        SpecialistCard(
            name=name,
            description=_DESCRIPTION[chat is not None] if description is None else description,
            capabilities=("code", "computation"),
            max_concurrency=max_concurrency,
            model=None if chat is None else model_name(chat),
            cost_usd=0.0 if chat is None else None,
            effects=unconfined if effects is None else effects,
        ),
        writer=writer_of(chat, prompts, max_input_tokens, summarize=False),
        packages=packages,
        max_repairs=max_repairs,
        seconds=limits.seconds,
    )


_DESCRIPTION = {
    False: (
        "Runs the Python program in its input 'code', in a sandbox without network: it reads input.json (instruction, "
        "input, results of the steps it depends on) and writes output.json, or prints."
    ),
    True: (
        "Computes exactly, transforms and checks data: writes a Python program for its task, from the results of the "
        "steps it depends on, and runs it in a sandbox without network. A finished program may be its input 'code'."
    ),
}
"""By whether there is a model."""
