"""What a call of a model may take, by what LangChain's callbacks tell of it before it is made."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from goalgraph.graph.ledger.caps import Call
from goalgraph.prompts.tokens import count_message_tokens, estimate_tokens

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["call_of"]

_MOST = (
    "max_completion_tokens",  # OpenAI
    "max_tokens",  # most others
    "max_output_tokens",  # Google, OpenAI's responses
    "max_tokens_to_sample",
    "max_new_tokens",
    "num_predict",  # Ollama, where -1 and -2 mean: as many as it likes
)
"""Names of the setting that limits an answer, by provider."""


def call_of(prompt: "Sequence[BaseMessage] | str", about: Mapping[str, Any]) -> Call:
    """Estimate a call.

    Args:
        prompt: As the model receives it.
        about: The keyword arguments of ``on_chat_model_start``, or ``on_llm_start``.
    """
    params: Mapping[str, Any] = about.get("invocation_params") or {}
    known: Mapping[str, Any] = about.get("metadata") or {}
    model = params.get("model_name") or params.get("model") or known.get("ls_model_name")
    sent = [*(params.get("tools") or ()), *(params.get("functions") or ())]
    sent += [params["response_format"]] if isinstance(params.get("response_format"), Mapping) else []
    if isinstance(prompt, str):
        tokens = estimate_tokens(prompt)
    else:
        tokens = count_message_tokens(prompt, schemas=sent, is_exact=False)
    most = next((found for name in _MOST if (found := params.get(name)) is not None), known.get("ls_max_tokens"))
    answers = _number(params.get("n")) or 1
    limit = _number(most)
    return Call(
        model=str(model) if model else None,
        input_tokens=tokens,
        max_output=limit * answers if limit is not None else None,
    )


def _number(found: object) -> int | None:
    is_number = isinstance(found, int) and not isinstance(found, bool) and found > 0
    return cast("int", found) if is_number else None
