"""A thread as it is stored: where its run stands, what is asked, and which answers are there already."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, get_checkpoint_id
from langgraph.types import Interrupt, StateSnapshot
from pydantic import JsonValue

from goalgraph.graph.humans.answers import as_mapping
from goalgraph.graph.humans.askers import Askers, read_askers
from goalgraph.graph.humans.digests import digest_of
from goalgraph.graph.humans.journal import Entry, entries_of
from goalgraph.graph.storage.recorded import recorded_items, recorded_outcomes
from goalgraph.graph.storage.storage_errors import reading
from goalgraph.graph.storage.stored import check_stored
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.shown import Shown
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json

__all__ = ["Request", "Thread", "at_present", "read_thread", "said_digest", "saver_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Shown):
    """Something that a run asks and waits for."""

    id: str
    """What to answer it by: bound to the thread, and to what exactly is asked."""
    kind: str
    """``plan``, ``approval``, ``gate``, ``input``, ``event``, or ``specialist`` for a question in a form of its own."""
    step: str
    """Id of the step; empty for the plan; for a specialist's own question, the specialist."""
    prompt: str
    """The question in words; Markdown."""
    arguments: Mapping[str, JsonValue]
    """What is asked about: the plan, the step's arguments; empty where the prompt says it all."""
    schema: Mapping[str, JsonValue]
    """JSON Schema that the answer to an ``input``, or to a specialist's question, must fit; empty where any will do."""
    assignee: str | None
    """Who is asked, where the plan or the policy says; it is shown, and not enforced."""
    deadline: str | None
    """ISO 8601; until when the answer is awaited."""
    problem: str | None
    """Why the last answer could not be used."""
    escalated: bool
    """Whether it is asked once more because nobody answered in time."""
    digest: str = field(repr=False)
    """Of what is asked; an answer holds for this alone."""
    interrupt: Interrupt = field(repr=False)
    """LangGraph's own, as screens show it."""
    path: str = ""
    """The way to the step: its id, after those of the steps whose runs it is inside of, as in ``"report/draft"``."""


class _HasState(Protocol):
    checkpointer: Any

    async def aget_state(self, config: RunnableConfig) -> StateSnapshot: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What is stored of a thread, at one moment."""

    id: str
    saver: BaseCheckpointSaver[Any]
    snapshot: StateSnapshot
    entries: tuple[Entry, ...]
    """Answers to what the current checkpoint asks or has asked, in no particular order."""
    items: Mapping[str, Outcome]
    """Outcomes of items of maps that are not over."""
    askers: Askers

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored."""
        return self.snapshot.created_at is None

    @property
    def tag(self) -> str:
        """What the ids of its requests begin with."""
        return hashlib.blake2b(self.id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()

    def asked(self) -> tuple[Request, ...]:
        """Everything that is asked, with what is answered already but not taken in yet."""
        return tuple(self._requests())

    def open(self) -> tuple[Request, ...]:
        """What is asked and has no answer."""
        answered = {entry.request for entry in self.entries}
        return tuple(request for request in self.asked() if request.id not in answered)

    def undelivered(self) -> tuple[Entry, ...]:
        """Answers that the run has not taken in; given once more, LangGraph would take one for the next question's."""
        return tuple(one for one in self.answered() if self.askers.taken_in(one.task) <= one.place)

    def answered(self) -> tuple[Entry, ...]:
        """Answers that the run has not gone on from, whether it has taken them in or not."""
        asked = {request.id for request in self.asked()}
        return tuple(entry for entry in self.entries if entry.request in asked)

    def carried(self) -> tuple[Entry, ...]:
        """Answers that changes of the state have carried over, and that no step has come to its end with."""
        values = cast("Mapping[str, Any]", self.snapshot.values)
        found = cast("Iterable[Decision]", values.get("carried") or ())
        spent = {one.request for one in self._settled()} if found else set[str]()
        return tuple(Entry.carried(one) for one in found if one.request not in spent)

    def known(self) -> tuple[Entry, ...]:
        """All answers that steps which are not over may go on with."""
        return (*self.entries, *self.carried())

    def unspent(self) -> tuple[Entry, ...]:
        """Answers to steps of this run, and not of one inside of it, that are not over."""
        spent = {one.request for one in self._settled()}
        own = tuple(one for one in self.entries if one.is_own and not one.is_inside and one.request not in spent)
        return (*own, *self.carried())

    def branch(self) -> "Thread":
        """The same checkpoint before anything has come of it: where another history begins."""
        return replace(self, snapshot=self.snapshot._replace(tasks=()), entries=(), items={})

    def recorded(self) -> dict[str, Outcome]:
        """Every outcome that is stored, by step, those of items of unfinished maps included."""
        return {**recorded_outcomes(self.snapshot), **self.items}

    def decisions(self) -> Iterator[Decision]:
        """What is decided and stored with the run."""
        yield from self._settled()
        for entry in self.carried():
            yield entry.decision()

    def _settled(self) -> Iterator[Decision]:
        """What is decided, and done with."""
        values = cast("Mapping[str, Any]", self.snapshot.values)
        yield from cast("Iterable[Decision]", values.get("decisions") or ())
        for outcome in self.recorded().values():
            yield from outcome.decisions

    def _requests(self) -> Iterator[Request]:
        for task in self.snapshot.tasks:
            for interrupt in task.interrupts:
                yield _request(self, task.name, interrupt)


async def read_thread(agent: _HasState, config: RunnableConfig, saver: BaseCheckpointSaver[Any]) -> Thread:
    """Read what is stored of a thread.

    Raises:
        CorruptRun: It cannot be read, or is not what this version stores.
    """
    with reading(config):
        snapshot = await agent.aget_state(config)
        stored = await saver.aget_tuple(snapshot.config) if snapshot.created_at is not None else None
    check_stored(snapshot, stored)
    with reading(config):
        askers = await read_askers(saver, snapshot, stored)
    entries = entries_of(stored)
    return Thread(
        id=str(config.get("configurable", {}).get("thread_id", "")),
        saver=saver,
        snapshot=snapshot,
        entries=entries,
        items=recorded_items(stored),
        askers=askers,
    )


async def at_present(saver: BaseCheckpointSaver[Any], config: RunnableConfig) -> RunnableConfig:
    """Return a config without the id of its checkpoint where that is the thread's latest one.

    Who gives what ``get_state`` has returned goes on with the run. For LangGraph an id means the past: it would have
    all tasks of the checkpoint done anew, also those whose outcomes are recorded.

    Args:
        saver: Async, or usable as such.
        config: Of a run that no other graph's is around.
    """
    if not (given := get_checkpoint_id(config)):
        return config
    known = {
        key: one
        for key, one in config.get("configurable", {}).items()
        if key not in ("checkpoint_id", "checkpoint_map")
    }
    present: RunnableConfig = {**config, "configurable": known}
    latest = await saver.aget_tuple(present)
    return present if latest is not None and latest.checkpoint["id"] == given else config


def saver_of(agent: _HasState, config: RunnableConfig) -> BaseCheckpointSaver[Any] | None:
    """Return the checkpointer of a call: the one that comes with it, or the agent's."""
    given: list[Any] = [*config.get("configurable", {}).values(), agent.checkpointer]
    found: list[Any] = [one for one in given if isinstance(one, BaseCheckpointSaver)]
    return found[0] if found else None


def _request(thread: Thread, task: str, interrupt: Interrupt) -> Request:
    value: object = interrupt.value
    about = cast("Mapping[str, Any]", as_mapping(value) or {})
    is_own = "digest" in about and "kind" in about
    digest = str(about["digest"]) if is_own else said_digest(value)
    times = about["asked"] if is_own else 0  # LangGraph gives each question of a task an id of its own
    is_call = about.get("type") == "tool_approval"  # LangChain's middleware, asking about each call by itself
    actions: list[Mapping[str, Any]] = about.get("action_requests") or ([about] if is_call else [])
    said = "\n\n".join(str(action.get("description") or action.get("name") or "") for action in actions)
    return Request(
        id=f"{thread.tag}-{interrupt.id}-{digest[:12]}-{times}",
        kind=str(about["kind"]) if is_own else "specialist",
        step=str(about["step"]) if is_own else task,
        prompt=str(about["prompt"]) if is_own else said or str(value),
        arguments=actions[0].get("args") or {} if actions else {},
        schema=about.get("schema") or {} if is_own else _declared(interrupt),
        assignee=about.get("assignee") if is_own else None,
        deadline=about.get("deadline") if is_own else None,
        problem=about.get("problem") if is_own else None,
        escalated=bool(about.get("escalated")) if is_own else False,
        digest=digest,
        interrupt=interrupt,
        path=str(about.get("path") or about["step"]) if is_own else task,
    )


def _declared(interrupt: Interrupt) -> Mapping[str, JsonValue]:
    """Return the JSON Schema that a specialist's question itself sets for its answer."""
    return cast("Mapping[str, JsonValue]", as_mapping(interrupt.response_schema) or {})


def said_digest(value: object) -> str:
    """Digest of anything that somebody asks or says."""
    try:
        return digest_of(as_json(value))
    except (InvalidOutput, OutputTooLarge):
        return digest_of(repr(value))
