"""Chat models: found by name, called on whichever event loop runs, failing with typed errors."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast
from weakref import WeakKeyDictionary

from goalgraph.errors import GoalgraphError, MissingExtra, ModelFailed, UnknownModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.rate_limiters import InMemoryRateLimiter
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

__all__ = [
    "Ending",
    "complete",
    "ending",
    "ending_of_error",
    "for_this_loop",
    "model_name",
    "resolve_model",
    "typed_failures",
]

Ending = Literal["complete", "truncated", "filtered", "refused", "empty"]
"""How a model's answer ended: whole, cut at the token limit, stopped by a content filter, refused, or empty."""

_MAX_RETRIES = 8
"""The only retry layer: with the SDK's backoff of up to 8 s, one failure in ten calls never gets through."""

_TIMEOUT = 300.0
"""Seconds without a byte before the SDK tries again; its own default of 600 doubles the wait on a dead connection."""

_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "truncated"),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "guardrail_intervened",
        ),
        "filtered",
    ),
    "refusal": "refused",
}
"""What providers call the reason for stopping, in lower case."""


def resolve_model(
    model: "str | BaseChatModel", *, requests_per_second: float | Mapping[str, float] | None = None
) -> "BaseChatModel":
    """Return the chat model of that name; a model is returned as it is.

    Args:
        model: ``"provider:name"`` such as ``"openai:gpt-5-mini"``, or a chat model.
        requests_per_second: Most calls to a provider, or by provider. All models of this process that are made by name
            with the same provider and rate share one limiter; attempts that an SDK makes again are not counted. A chat
            model that is given as an object carries its own ``rate_limiter``, or none.

    Raises:
        ValueError: A rate is not above 0.
        UnknownModel: The name has no provider, or one that is not known.
        MissingExtra: The provider is reached through ``langchain``, which is not installed.
        ModelFailed: The provider's package or its API key is missing, or it refused the settings.
    """
    from langchain_core.language_models import BaseChatModel

    if isinstance(model, BaseChatModel):
        return model
    found = cast("object", model)
    provider, colon, name = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not (provider.strip() and colon and name.strip()):
        raise UnknownModel(
            f"a model is 'provider:name' or a chat model, found {found!r}", hint="write it like 'openai:gpt-5-mini'"
        )
    provider, name = provider.strip(), name.strip()
    limiter = _limiter(provider, requests_per_second)
    return _openai(name, limiter) if provider == "openai" else _other(f"{provider}:{name}", limiter)


_limiters: "dict[tuple[str, float], InMemoryRateLimiter]" = {}
_limiters_lock = Lock()


def _limiter(provider: str, rates: float | Mapping[str, float] | None) -> "InMemoryRateLimiter | None":
    from langchain_core.rate_limiters import InMemoryRateLimiter

    rate = rates.get(provider) if isinstance(rates, Mapping) else rates
    if rate is None:
        return None
    if not 0 < rate < float("inf"):
        raise ValueError(f"requests_per_second must be a number above 0, found {rate!r} for {provider!r}")
    with _limiters_lock:
        if (provider, rate) not in _limiters:
            # Looked at twice for each call that there may be: else a quick provider's turn would pass by unseen.
            often = max(min(0.1, 0.5 / rate), 0.005)
            _limiters[provider, rate] = InMemoryRateLimiter(requests_per_second=rate, check_every_n_seconds=often)
        return _limiters[provider, rate]


def _openai(name: str, limiter: "InMemoryRateLimiter | None") -> "BaseChatModel":
    from langchain_openai import ChatOpenAI

    if not os.environ.get("OPENAI_API_KEY", "").strip():
        raise ModelFailed(f"the model 'openai:{name}' needs an API key", hint="set OPENAI_API_KEY")
    return ChatOpenAI(model=name, max_retries=_MAX_RETRIES, stream_usage=True, timeout=_TIMEOUT, rate_limiter=limiter)


def _other(model: str, limiter: "InMemoryRateLimiter | None") -> "BaseChatModel":
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingExtra(f"the model {model!r}", "providers") from error
    try:
        return init_chat_model(model, rate_limiter=limiter) if limiter is not None else init_chat_model(model)
    except ImportError as error:
        raise ModelFailed(f"the model {model!r} needs a package that is not installed: {_one_line(error)}") from error
    except Exception as error:
        if type(error) is ValueError and "provider" in str(error):
            raise UnknownModel(f"no provider is called {model.partition(':')[0]!r}", hint=_one_line(error)) from error
        raise ModelFailed(f"the model {model!r} could not be set up: {_one_line(error)}") from error


async def complete(model: "BaseChatModel", system: str, user: str, *, retries: bool = True) -> str:
    """Ask for text.

    Args:
        model: Any chat model.
        system: The system's message.
        user: The user's message.
        retries: As for `for_this_loop`.

    Raises:
        ModelFailed: The model could not be called.
    """
    from langchain_core.messages import HumanMessage, SystemMessage

    with typed_failures(model):
        reply = await for_this_loop(model, retries=retries).ainvoke([SystemMessage(system), HumanMessage(user)])
    return reply.text


@contextmanager
def typed_failures(model: "BaseChatModel") -> Generator[None]:
    """Turn what a provider raises at a call into `ModelFailed`; cancellation and graph interrupts pass.

    Raises:
        ModelFailed: The call inside the block failed; the provider's exception is its cause.
    """
    try:
        yield
    except GoalgraphError:
        raise
    except Exception as error:
        if _is_control_flow(error):
            raise
        raise ModelFailed(
            f"the model {model_name(model)!r} could not be called: {type(error).__name__}: {_one_line(error)}",
            hint=_HINTS.get(cast("object", getattr(error, "status_code", None)), ""),
        ) from error


_HINTS: dict[object, str] = {
    401: "check the API key",
    403: "check what the API key may do",
    404: "check the model's name and the base URL",
    429: "check quota and rate limit, or run fewer steps at once",
}


def ending(message: "BaseMessage") -> Ending:
    """Tell how an answer ended, whichever provider wrote it: the reason for stopping counts before the content."""
    reasons = _texts(message.response_metadata)
    for reason in reasons:
        if found := _ENDINGS.get(reason.lower()):
            return found
    if message.additional_kwargs.get("refusal") or any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in message.content
    ):
        return "refused"
    calls = [getattr(message, field, None) for field in ("tool_calls", "invalid_tool_calls")]
    return "complete" if message.text.strip() or any(calls) else "empty"


def ending_of_error(error: BaseException | None) -> Ending | None:
    """Tell the ending that an exception stands for; None where it is a failure of another kind."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "LengthFinishReasonError" in names:
        return "truncated"
    if "ContentFilterFinishReasonError" in names:
        return "filtered"
    return "refused" if "OpenAIRefusalError" in names else None


def _texts(metadata: Mapping[str, object]) -> list[str]:
    details = metadata.get("incomplete_details")
    inner = cast("Mapping[str, object]", details).get("reason") if isinstance(details, Mapping) else None
    values = (*(metadata.get(key) for key in ("finish_reason", "stop_reason", "stopReason", "done_reason")), inner)
    return [value for value in values if isinstance(value, str)]


_pools: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | None, _OpenClient]]" = WeakKeyDictionary()
_pools_lock = Lock()


def for_this_loop(model: "BaseChatModel", *, whole: bool = False, retries: bool = True) -> "BaseChatModel":
    """Return the model with HTTP connections that belong to the running event loop.

    Models on the OpenAI SDK share one connection pool for the whole process, and a connection made on one event loop
    fails on the next. A copy with a pool for each loop does not. Models with an HTTP client of the caller's keep it,
    and all other models are returned as they are. One without any timeout, LangChain's default, is given one, since
    the SDK would wait for ever.

    What these connections are told about too many requests (429 with ``Retry-After``) holds for all calls of the
    process to the same address with the same key; see `goalgraph.paced_client.PacedClient`.

    Args:
        model: Any chat model.
        whole: Ask for the answer in one piece even where somebody listens to its tokens: the SDK tries a broken call
            again, but not a broken stream.
        retries: Whether the SDK may try again; not where whoever calls does it, since the attempts would multiply.
    """
    root = _openai_client(model)
    if root is None:
        return model
    update: dict[str, object] = {}
    changed = root
    if not _has_own_http(model):
        proxy = cast("str | None", getattr(model, "openai_proxy", None))
        changed = changed.with_options(http_client=_http_client(proxy))
    if root.timeout is None and "request_timeout" not in model.model_fields_set:
        changed = changed.with_options(timeout=_TIMEOUT)
    if not retries:
        changed = changed.with_options(max_retries=0)
        update["max_retries"] = 0
    if whole:
        update["disable_streaming"] = True
    if changed is root and not update:
        return model
    return model.model_copy(update={**update, "root_async_client": changed, "async_client": changed.chat.completions})


def _openai_client(model: "BaseChatModel") -> "AsyncOpenAI | None":
    openai = sys.modules.get("openai")
    root = cast("object", getattr(model, "root_async_client", None))
    if openai is None or not isinstance(root, cast("type[AsyncOpenAI]", openai.AsyncOpenAI)):
        return None
    return root


def _has_own_http(model: "BaseChatModel") -> bool:
    """Whether the caller has given an HTTP client; with openai_proxy set, langchain-openai fills one in itself."""
    return getattr(model, "http_async_client", None) is not None and not getattr(model, "openai_proxy", None)


class _OpenClient:
    """An HTTP client that closes with its event loop.

    A loop closes the asynchronous generators that began on it before it ends (``shutdown_asyncgens``, as in
    `asyncio.run`); the client's closing is one of them.
    """

    def __init__(self, proxy: str | None) -> None:
        from goalgraph.paced_client import PacedClient  # here, so that openai is loaded only by those who use it

        self.client = PacedClient(proxy=proxy) if proxy else PacedClient()
        self._until_the_end = self._open(asyncio.get_running_loop())
        with suppress(StopIteration):
            self._until_the_end.__anext__().__await__().__next__()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with _pools_lock:
                _pools.pop(loop, None)
            await self.client.aclose()


def _http_client(proxy: str | None) -> "DefaultAsyncHttpxClient":
    loop = asyncio.get_running_loop()
    with _pools_lock:
        # Open connections refer to their loop, so that a weak key alone would never let go of it.
        for other in [other for other in _pools if other.is_closed()]:
            del _pools[other]
        pool = _pools.setdefault(loop, {})
        if proxy not in pool:
            pool[proxy] = _OpenClient(proxy)
        return pool[proxy].client


def model_name(model: "BaseChatModel") -> str:
    """Name of the model at its provider, such as ``"gpt-5-mini"``; its class where it has none."""
    for field in ("model_name", "model", "model_id"):
        if (name := getattr(model, field, None)) and isinstance(name, str):
            return name
    return type(model).__name__


def _is_control_flow(error: Exception) -> bool:
    errors = sys.modules.get("langgraph.errors")
    return errors is not None and isinstance(error, cast("type[Exception]", errors.GraphBubbleUp))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}..."
