"""What may come in where a run is begun or gone on with: a goal for a thread that is free, answers to what it asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from langgraph.types import Command

from goalgraph.errors import AnswerProblem, AnswerRefused, RunPaused, UnknownRun
from goalgraph.graph.humans.answers import Problem, as_mapping
from goalgraph.graph.humans.journal import Entry, entries_of, record
from goalgraph.graph.humans.replies import Envelope, read_reply
from goalgraph.graph.humans.thread import Request, Thread, said_digest

__all__ = ["Said", "admit", "taken"]

_ID = re.compile(r"(?:(?P<tag>[0-9a-f]{8})-)?(?P<interrupt>[0-9a-f]{32})(?:-(?P<digest>[0-9a-f]{12})-(?P<times>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer, and whose it is."""

    answer: object
    by: str | None = None


async def admit(thread: Thread, given: object) -> tuple[object, tuple[Entry, ...]]:
    """Look at what a thread's run is given, and write down the answers among it before anything is run.

    Returns:
        What LangGraph is to be given, and all answers that steps which are not over may go on with.

    Raises:
        RunPaused: It is a new goal, and the run waits for answers.
        UnknownRun: There is no run to go on with.
        AnswerRefused: Answers cannot be used; the leaf says why. Nothing is taken in.
    """
    if given is not None and not isinstance(given, Command):
        if asked := thread.asked():
            raise RunPaused(thread.id, dict.fromkeys(request.step or "review" for request in asked))
        return given, ()
    if thread.is_new:
        raise UnknownRun(f"thread {thread.id!r} has no run to go on with", hint="check thread_id and checkpointer")
    command: Command[Any] = Command() if given is None else cast("Any", given)
    is_answer = given is not None and _is_answer(command)
    if is_answer:
        thread = await _recorded(thread, taken(thread, _by_request(thread, command.resume)))
    if not (entries := thread.undelivered()):
        return (None if is_answer or given is None else command), thread.known()
    resume = {entry.interrupt: _delivery(entry) for entry in entries}
    going_on: Command[Any] = Command(resume=resume, update=command.update, goto=command.goto, graph=command.graph)
    return going_on, thread.known()


def taken(thread: Thread, answers: Mapping[str, Said]) -> tuple[Entry, ...]:
    """Read answers; return those that are new, where all of them can be used.

    Args:
        thread: That they are for.
        answers: By id of the request.

    Raises:
        AnswerRefused: Some cannot be used.
    """
    problems: list[AnswerProblem] = []
    fresh: list[Entry] = []
    requests = {request.id: request for request in thread.open()}
    given = {entry.request: (entry.step, entry.envelope.said) for entry in thread.entries}
    given |= {one.request: (one.subject, one.said) for one in thread.decisions() if one.request}
    for request_id, said in answers.items():
        found: Entry | AnswerProblem | None
        if (request := requests.get(request_id)) is not None:
            found = _entry(thread, request, said)
        elif request_id in given:
            found = _repeated(request_id, *given[request_id], said_digest(said.answer))
        else:
            found = _unasked(thread, request_id)
        if isinstance(found, AnswerProblem):
            problems.append(found)
        elif found is not None:
            fresh.append(found)
    if problems:
        raise AnswerRefused.of(problems)
    return tuple(fresh)


def _is_answer(command: Command[Any]) -> bool:
    """Whether it resumes: also with nothing, which is refused, where it does nothing else."""
    return command.resume is not None or not (command.update or command.goto)


def _by_request(thread: Thread, resume: object) -> Mapping[str, Said]:
    """Find out which requests are answered: those named by id, else the only one there is."""
    named = as_mapping(resume) or {}
    if named and all(_ID.fullmatch(str(key)) for key in named):
        now = {request.interrupt.id: request.id for request in thread.asked()}
        return {now.get(key, key): _said(answer) for key, answer in named.items()}
    requests = thread.open()
    if len(requests) == 1:
        return {requests[0].id: _said(resume)}
    if not requests:
        raise AnswerRefused.of([AnswerProblem(request="", code="unknown", message="nothing is asked")])
    message = f"{len(requests)} requests are open, and the answer does not say which it is for: {{id: answer}}"
    raise AnswerRefused.of(AnswerProblem(request=one.id, code="invalid", message=message) for one in requests)


def _said(answer: object) -> Said:
    return answer if isinstance(answer, Said) else Said(answer=answer)


def _entry(thread: Thread, request: Request, said: Said) -> Entry | AnswerProblem:
    reply = read_reply(request.interrupt.value, said.answer, request.schema)
    if isinstance(reply, Problem):
        return AnswerProblem(request=request.id, code="invalid", message=reply.message, step=request.step)
    envelope = Envelope(
        reply=reply,
        digest=request.digest,
        request=request.id,
        said=said_digest(said.answer),
        by=said.by,
        at=datetime.now(UTC).isoformat(),
    )
    task = thread.askers.task(request.interrupt.id)
    return Entry(
        interrupt=request.interrupt.id,
        kind=request.kind,
        step=request.step,
        task=task,
        place=thread.askers.taken_in(task),
        is_inside=bool((as_mapping(request.interrupt.value) or {}).get("inside")),
        envelope=envelope,
    )


def _repeated(request_id: str, step: str, before: str, now: str) -> AnswerProblem | None:
    """Say that a request has another answer; None where it is the same again."""
    if before == now:
        return None
    message = "it has another answer already, which stands"
    return AnswerProblem(request=request_id, code="already_answered", message=message, step=step)


def _unasked(thread: Thread, request_id: str) -> AnswerProblem:
    parts = _ID.fullmatch(request_id)
    if parts is not None and parts["tag"] not in (None, thread.tag):
        return AnswerProblem(request=request_id, code="foreign", message="another thread asks this")
    for request in thread.asked():
        if parts is not None and request.interrupt.id == parts["interrupt"]:
            message = "what is asked has changed since"
            return AnswerProblem(request=request_id, code="stale", message=message, step=request.step)
    return AnswerProblem(request=request_id, code="unknown", message="nothing of that id is asked")


async def _recorded(thread: Thread, fresh: tuple[Entry, ...]) -> Thread:
    """Write new answers down, and read back: where somebody else was first, that answer stands.

    Raises:
        AlreadyAnswered: It is another one.
    """
    if not fresh:
        return thread
    await record(thread.saver, thread.snapshot.config, fresh)
    stored = entries_of(await thread.saver.aget_tuple(thread.snapshot.config))
    kept = {entry.request: entry for entry in stored}
    found = (_repeated(one.request, one.step, kept[one.request].envelope.said, one.envelope.said) for one in fresh)
    if problems := [problem for problem in found if problem is not None]:
        raise AnswerRefused.of(problems)
    return replace(thread, entries=stored)


def _delivery(entry: Entry) -> object:
    return entry.envelope.packed() if entry.is_own else entry.envelope.reply.value
