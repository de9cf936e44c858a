"""Test doubles for applications that build on goalgraph (and for goalgraph itself)."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.specialist import StepContext, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models.model_profile import ModelProfile

__all__ = ["OutOfScript", "Reply", "ScriptedCall", "ScriptedChatModel", "ScriptedSpecialist"]

Reply = str | AIMessage | Mapping[str, object] | BaseException | Callable[[Sequence[BaseMessage]], object]
"""One answer: text; a message as it is; a mapping, given as structured output; an exception, raised; or a function of
the messages that returns one of these."""


class OutOfScript(AssertionError):
    """A scripted model was called more often than its script has replies."""


class _Script:
    """Replies and what was asked; shared by all copies of a model."""

    def __init__(self, replies: Iterable[Reply] | Callable[[Sequence[BaseMessage]], object]) -> None:
        self._always = replies if callable(replies) else None
        self._replies: tuple[Reply, ...] = () if callable(replies) else tuple(replies)
        self._lock = Lock()
        self.received: list[list[BaseMessage]] = []

    def next(self, messages: list[BaseMessage]) -> object:
        with self._lock:
            self.received.append(list(messages))
            number = len(self.received)
        if self._always is None and number > len(self._replies):
            raise OutOfScript(
                f"the script has {len(self._replies)} replies, and this is call {number}; "
                f"the last message was: {messages[-1].text[:200]!r}"
            )
        reply: object = self._always or self._replies[number - 1]
        while callable(reply) and not isinstance(reply, (str, type)):
            reply = reply(messages)
        if isinstance(reply, BaseException):
            raise reply
        return reply


class ScriptedChatModel(BaseChatModel):
    """A chat model that answers from a script, in the order of the calls.

    It binds tools, gives structured output (a mapping becomes the arguments of the demanded tool, or JSON text where
    none is bound), streams text and arguments word by word, and counts tokens at four characters each. What it was
    asked stands in ``received``.

    Examples:
        >>> model = ScriptedChatModel(["first", {"answer": 42}, ConnectionError("down")])
        >>> model.invoke("hello").text
        'first'
        >>> model.received[0][0].text
        'hello'
    """

    model_name: str = "scripted"
    delay: float = 0.0
    """Seconds before each answer."""
    _script: _Script = PrivateAttr()

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[Sequence[BaseMessage]], object],
        *,
        model_name: str = "scripted",
        delay: float = 0.0,
        profile: "ModelProfile | None" = None,
    ) -> None:
        """Take the script.

        Args:
            replies: One for each call, in order; or one function of the messages, for all calls.
            model_name: What it calls itself.
            delay: Seconds before each answer.
            profile: Its limits and abilities, such as ``{"max_input_tokens": 8000}``.
        """
        fields: dict[str, Any] = {"model_name": model_name, "delay": delay, "profile": profile}
        super().__init__(**fields)
        self._script = _Script(replies)

    @property
    def received(self) -> list[list[BaseMessage]]:
        """The messages of each call, in the order of the calls."""
        return self._script.received

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools; a mapping in the script becomes a call of the chosen one, or of the first."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        time.sleep(self.delay)
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, kwargs))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.delay)
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        time.sleep(self.delay)
        for chunk in _chunks(self._answer(messages, kwargs)):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        await asyncio.sleep(self.delay)
        for chunk in _chunks(self._answer(messages, kwargs)):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _answer(self, messages: list[BaseMessage], options: Mapping[str, object]) -> AIMessage:
        reply = self._script.next(messages)
        message = reply if isinstance(reply, AIMessage) else _message(reply, options, len(self._script.received))
        if message.usage_metadata is not None:
            return message
        asked = sum(_tokens(item.text) for item in messages)
        answered = _tokens(message.text) + sum(_tokens(json.dumps(call["args"])) for call in message.tool_calls)
        usage = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
        return message.model_copy(update={"usage_metadata": usage})


def _message(reply: object, options: Mapping[str, object], number: int) -> AIMessage:
    if isinstance(reply, str):
        return AIMessage(reply, response_metadata={"finish_reason": "stop"})
    if not isinstance(reply, Mapping):
        raise TypeError(f"a reply is text, a message, a mapping, an exception or a function, found {reply!r}")
    arguments = dict(cast("Mapping[str, object]", reply))
    tools = cast("list[dict[str, dict[str, str]]]", options.get("tools") or [])
    if not tools:
        return AIMessage(json.dumps(arguments, ensure_ascii=False), response_metadata={"finish_reason": "stop"})
    names = [tool["function"]["name"] for tool in tools]
    chosen = options.get("tool_choice")
    call = tool_call(
        name=chosen if isinstance(chosen, str) and chosen in names else names[0], args=arguments, id=f"call_{number}"
    )
    return AIMessage("", tool_calls=[call], response_metadata={"finish_reason": "tool_calls"})


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    for piece in _pieces(message.text) if isinstance(message.content, str) else ():
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece, id=message.id))
    calls = [(call["name"], json.dumps(call["args"], ensure_ascii=False), call["id"]) for call in message.tool_calls]
    broken = [(call["name"], call["args"], call["id"]) for call in message.invalid_tool_calls]
    for index, (name, arguments, call_id) in enumerate([*calls, *broken]):
        named = tool_call_chunk(name=name, args="", id=call_id, index=index)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", id=message.id, tool_call_chunks=[named]))
        for piece in _pieces(arguments or ""):
            part = tool_call_chunk(args=piece, index=index)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", id=message.id, tool_call_chunks=[part]))
    last = AIMessageChunk(
        content="" if isinstance(message.content, str) else message.content,
        id=message.id,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )
    yield ChatGenerationChunk(message=last)


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedCall:
    """One call of a scripted specialist."""

    task: StepTask
    context: StepContext


class ScriptedSpecialist:
    """A specialist that does each step as its script says.

    Examples:
        >>> ScriptedSpecialist("reader", {"read": "42 rows"}, failures={"flaky": [TimeoutError("slow")]}).card.name
        'reader'
    """

    def __init__(
        self,
        name: str,
        replies: Mapping[str, object] | None = None,
        *,
        default: object = "done",
        delays: Mapping[str, float] | float = 0.0,
        failures: Mapping[str, Exception | Sequence[Exception]] | None = None,
        description: str = "",
        capabilities: Iterable[str] = (),
        max_concurrency: int | None = None,
    ) -> None:
        """Take the script.

        Args:
            name: Its name.
            replies: What it returns, by step id; a function is called with task and context.
            default: What it returns for any other step; may be such a function too.
            delays: Seconds a step takes, by step id or for all.
            failures: What it raises, by step id: one exception at every attempt; a sequence, one at each of the first
                attempts.
            description: For its card.
            capabilities: For its card.
            max_concurrency: For its card.
        """
        self._card = SpecialistCard(
            name=name,
            description=description or f"Does what the script of {name} says.",
            capabilities=tuple(capabilities),
            max_concurrency=max_concurrency,
        )
        self._replies = dict(replies or {})
        self._default = default
        self._delays = delays
        self._failures = {
            step: (failure, None) if isinstance(failure, Exception) else (None, iter(tuple(failure)))
            for step, failure in (failures or {}).items()
        }
        self._running = 0
        self.calls: list[ScriptedCall] = []
        """All calls, in the order in which they began."""
        self.peak = 0
        """Most calls that were under way at one moment."""

    @property
    def card(self) -> SpecialistCard:
        """How planners, routers and reviewers see it."""
        return self._card

    @property
    def steps(self) -> list[str]:
        """Ids of the steps it was called for, in the order of the calls; one for each attempt."""
        return [call.task.step for call in self.calls]

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Do what the script says for this step."""
        self.calls.append(ScriptedCall(task=task, context=context))
        self._running += 1
        self.peak = max(self.peak, self._running)
        try:
            await asyncio.sleep(
                self._delays if isinstance(self._delays, (int, float)) else self._delays.get(task.step, 0.0)
            )
            self._fail(task.step)
            reply = self._replies.get(task.step, self._default)
            return cast("Callable[[StepTask, StepContext], object]", reply)(task, context) if callable(reply) else reply
        finally:
            self._running -= 1

    def _fail(self, step: str) -> None:
        always, first = self._failures.get(step, (None, None))
        failure = always or (next(first, None) if first is not None else None)
        if failure is not None:
            raise failure
