"""Spans of OpenTelemetry for runs, steps, model calls and tools, from LangChain's callbacks; extra ``otel``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from goalgraph.errors import MissingExtra
from goalgraph.planner.outcome import Outcome

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["SpanHandler"]

_MOST_CONTENT = 32_000
"""Characters of a prompt, an answer, arguments or a result that a span holds, where it is to hold any."""
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
}
_KINDS = ("condition", "human_approval", "human_input", "map", "parallel", "transform", "wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A run of LangChain's that is not over; those that are no more than steps on the way have no span of their own."""

    context: "Context | None"
    """With the innermost span."""
    span: "Span | None" = None
    run: str | None = None
    """Id of the goalgraph run that it belongs to."""
    root: UUID | None = None
    """Of LangChain's outermost run."""
    step: str | None = None


class SpanHandler(BaseCallbackHandler):
    """Makes spans: ``agent.invoke(..., config={"callbacks": [SpanHandler()]})``.

    ``invoke_agent <name>`` for a run, with ``goalgraph.run`` and ``goalgraph.status``; inside of it a span for each
    step (``invoke_agent <specialist>``, or ``step <kind>``) with ``goalgraph.step``, ``goalgraph.status`` and
    ``goalgraph.attempts``; inside of that ``chat <model>`` and ``execute_tool <tool>``; names and attributes follow
    OpenTelemetry's conventions for generative AI. Runs inside of steps nest. Who is inside of whom is told by
    LangChain's run ids, so that steps that run at the same time are kept apart.

    What a step's span covers includes its wait for its turn: all steps of a plan are sent at once. A step that waits
    for a human ends with ``goalgraph.status`` ``"waiting"``, and has a new span when the run goes on. Spans hold no
    prompts, answers, arguments or messages of errors, unless ``content`` is set. They are not made the current span of
    the code that they cover.
    """

    run_inline = True
    """In the order in which things happen, and where the caller's own span is current."""

    def __init__(self, tracer_provider: "TracerProvider | None" = None, *, content: bool = False) -> None:
        """Take the place that spans go to.

        Args:
            tracer_provider: OpenTelemetry's global one where absent.
            content: Whether prompts, answers, arguments and results of tools, and messages of errors are kept too.

        Raises:
            MissingExtra: ``opentelemetry-api`` is not installed.
        """
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingExtra("SpanHandler", "otel") from error
        self._trace = trace
        self._tracer = trace.get_tracer("goalgraph", tracer_provider=tracer_provider)
        self._content = content
        self._open: dict[UUID, _Open] = {}

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a run, or a step; remember where all else belongs."""
        about = metadata or {}
        within, run, name = self._within(parent_run_id), about.get("goalgraph_run"), str(kwargs.get("name") or "")
        if run is None:
            self._open[run_id] = _Open(context=within.context, root=within.root or run_id, step=within.step)
        elif run != within.run:
            said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name, "goalgraph.run": run}
            self._begin(run_id, f"invoke_agent {name}", within, said, run=run)
        elif (step := _step_in(inputs, about, name)) is not None:
            said = {"goalgraph.run": run, "goalgraph.step": step}
            if name in _KINDS:
                self._begin(run_id, f"step {name}", within, said, step=step)
            else:
                said |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
                self._begin(run_id, f"invoke_agent {name}", within, said, step=step)
        else:
            self._open[run_id] = _Open(context=within.context, run=run, root=within.root, step=within.step)

    def on_chain_end(self, outputs: dict[str, Any], *, run_id: UUID, **kwargs: Any) -> None:
        """End what has begun, with what it came to."""
        found = self._open.pop(run_id, None)
        if found is None or found.span is None:
            return
        values = _values(outputs)
        if found.step is not None:
            outcome = cast("Mapping[str, object]", values.get("outcomes") or {}).get(found.step)
            self._tell_outcome(found.span, outcome if isinstance(outcome, Outcome) else None)
        else:
            status = values.get("status") or "waiting"
            found.span.set_attribute("goalgraph.status", str(status))
            if status == "failed":
                self._fail(found.span, "failed")
        self._end(run_id, found)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End what has begun: in failure, or in wait for a human."""
        found = self._open.pop(run_id, None)
        if found is None or found.span is None:
            return
        if isinstance(error, GraphBubbleUp):
            found.span.set_attribute("goalgraph.status", "waiting")
        else:
            self._fail(found.span, type(error).__name__, str(error))
        self._end(run_id, found)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a chat model."""
        said = self._asked("chat", metadata or {}, kwargs)
        if self._content:
            told = [{"role": one.type, "content": one.text} for some in messages for one in some]
            said["gen_ai.input.messages"] = _text(told)
        self._call(run_id, parent_run_id, said)

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a model that completes texts."""
        said = self._asked("text_completion", metadata or {}, kwargs)
        if self._content:
            said["gen_ai.input.messages"] = _text(prompts)
        self._call(run_id, parent_run_id, said)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """End a call of a model, with what it used."""
        found = self._open.pop(run_id, None)
        if found is None or found.span is None:
            return
        for name, value in _answered(response).items():
            found.span.set_attribute(name, value)
        if self._content:
            told = [one.text for some in response.generations for one in some]
            found.span.set_attribute("gen_ai.output.messages", _text(told))
        found.span.end()

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a tool."""
        name = str(kwargs.get("name") or serialized.get("name") or "tool")
        said: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        if call := kwargs.get("tool_call_id"):
            said["gen_ai.tool.call.id"] = str(call)
        if self._content:
            said["gen_ai.tool.call.arguments"] = _text(input_str)
        self._begin(run_id, f"execute_tool {name}", self._within(parent_run_id), said, inherits=True)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """End a call of a tool."""
        found = self._open.pop(run_id, None)
        if found is not None and found.span is not None:
            if self._content:
                found.span.set_attribute("gen_ai.tool.call.result", _text(str(getattr(output, "content", output))))
            found.span.end()

    on_llm_error = on_tool_error = on_chain_error

    def _within(self, parent: UUID | None) -> _Open:
        found = self._open.get(parent) if parent is not None else None
        return found or _Open(context=None)

    def _begin(
        self,
        run_id: UUID,
        name: str,
        within: _Open,
        said: Mapping[str, Any],
        *,
        run: str | None = None,
        step: str | None = None,
        inherits: bool = False,
        is_call: bool = False,
    ) -> None:
        kind = self._trace.SpanKind.CLIENT if is_call else self._trace.SpanKind.INTERNAL
        inner = {"goalgraph.run": within.run, "goalgraph.step": within.step} if inherits else {}
        attributes = {key: value for key, value in {**inner, **said}.items() if value is not None}
        span = self._tracer.start_span(name, context=within.context, kind=kind, attributes=attributes)
        self._open[run_id] = _Open(
            context=self._trace.set_span_in_context(span, within.context),
            span=span,
            run=run or within.run,
            root=within.root or run_id,
            step=within.step if inherits else step,
        )

    def _call(self, run_id: UUID, parent: UUID | None, said: Mapping[str, Any]) -> None:
        name = f"{said['gen_ai.operation.name']} {said.get('gen_ai.request.model', '')}".strip()
        self._begin(run_id, name, self._within(parent), said, inherits=True, is_call=True)

    def _asked(self, operation: str, metadata: Mapping[str, Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        asked: Mapping[str, Any] = kwargs.get("invocation_params") or {}
        model = asked.get("model") or asked.get("model_name") or metadata.get("ls_model_name")
        said = {"gen_ai.operation.name": operation, "gen_ai.provider.name": metadata.get("ls_provider")}
        said |= {"gen_ai.request.model": str(model) if model else None, "gen_ai.request.stream": asked.get("stream")}
        values = {_PARAMETERS[key]: asked[key] for key in _PARAMETERS if isinstance(asked.get(key), (int, float))}
        return {**{key: value for key, value in said.items() if value}, **values}

    def _tell_outcome(self, span: "Span", outcome: Outcome | None) -> None:
        if outcome is None:
            span.set_attribute("goalgraph.status", "waiting")
            return
        span.set_attributes({"goalgraph.status": outcome.status, "goalgraph.attempts": outcome.attempts})
        if outcome.specialist is not None:
            span.set_attribute("gen_ai.agent.name", outcome.specialist)
        if outcome.confidence is not None:
            span.set_attribute("goalgraph.confidence", outcome.confidence)
        if outcome.status == "failed" and outcome.error is not None:
            self._fail(span, outcome.error.type or outcome.error.code, outcome.error.message)

    def _fail(self, span: "Span", kind: str, message: str = "") -> None:
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.StatusCode.ERROR, message[:_MOST_CONTENT] or None if self._content else None)

    def _end(self, run_id: UUID, found: _Open) -> None:
        if found.span is not None:
            found.span.end()
        if found.root == run_id:  # of what was left behind in it, nobody will hear any more
            for left in [one for one, open_ in list(self._open.items()) if open_.root == run_id]:
                rest = self._open.pop(left, None)
                if rest is not None and rest.span is not None:
                    rest.span.end()


def _step_in(inputs: object, metadata: Mapping[str, Any], name: str) -> str | None:
    """Return the step that a node is given, where it is a step's node."""
    if not isinstance(inputs, Mapping) or metadata.get("langgraph_node") != name:
        return None
    given = cast("Mapping[str, object]", inputs)
    return str(given["step"]) if set(given) == {"step"} else None


def _values(outputs: object) -> Mapping[str, Any]:
    found = cast("object", outputs.update if isinstance(outputs, Command) else outputs)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _answered(response: LLMResult) -> dict[str, Any]:
    """What a model's answer says of itself."""
    said: dict[str, Any] = {}
    for generation in (one for some in response.generations for one in some):
        if not (isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage)):
            continue
        about: Mapping[str, Any] = generation.message.response_metadata
        used = generation.message.usage_metadata
        if used is not None:
            said["gen_ai.usage.input_tokens"] = used["input_tokens"]
            said["gen_ai.usage.output_tokens"] = used["output_tokens"]
        if model := about.get("model_name") or about.get("model"):
            said["gen_ai.response.model"] = str(model)
        if reason := about.get("finish_reason") or about.get("stop_reason"):
            said["gen_ai.response.finish_reasons"] = (str(reason),)
        if about.get("id"):
            said["gen_ai.response.id"] = str(about["id"])
    return said


def _text(value: str | Sequence[Any]) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:_MOST_CONTENT]
