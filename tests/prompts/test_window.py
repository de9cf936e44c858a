from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.prompts import FittedPrompt, Summarizer, context_limit, count_tokens, fit_prompt, prompt_limit, tagged
from goalgraph.testing import ScriptedChatModel

LONG = "middle words " * 4000


class Local:
    """A model with settings as local ones have them."""

    def __init__(self, **settings: object) -> None:
        vars(self).update(settings)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (ScriptedChatModel([], profile={"max_input_tokens": 8000}), 8000),
        (ScriptedChatModel([]), None),
        (Local(profile=None, num_ctx=4096), 4096),
        (Local(profile={"max_input_tokens": 128_000}, num_ctx=4096), 4096),
        (Local(profile={"max_input_tokens": 2000}, n_ctx=4096), 2000),
        (Local(max_input_tokens=900), 900),
        (Local(profile={"max_input_tokens": 0}, num_ctx=True, n_ctx="8k"), None),
    ],
    ids=["profile", "unknown", "setting", "less than the profile", "more than the profile", "own", "no numbers"],
)
def test_the_window_is_what_is_known_of_the_model(model: object, limit: int | None) -> None:
    assert context_limit(model) == limit


@pytest.mark.parametrize(
    ("model", "given", "limit"),
    [
        (Local(num_ctx=4096), None, 3072),
        (Local(), None, 24_576),
        (Local(num_ctx=4096), 100_000, 100_000),
    ],
    ids=["three quarters", "unknown", "as the caller says"],
)
def test_a_prompt_leaves_room_for_the_answer(model: object, given: int | None, limit: int) -> None:
    assert prompt_limit(model, given) == limit


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_input_tokens must be 1 or more, found 0"):
        prompt_limit(Local(), 0)


def write(texts: Mapping[str, str], how: Mapping[str, str]) -> tuple[str, str]:
    """A system's message, and one that names each text and what was done to it."""
    parts = [f"{name} {how.get(name, 'whole')}:\n{tagged('result', text)}" for name, text in texts.items()]
    return "Be brief.", "\n\n".join(parts)


def size(prompt: FittedPrompt) -> int:
    return 3 + sum(4 + count_tokens(text) for text in prompt.messages)


async def test_a_short_prompt_is_written_once_and_left_alone() -> None:
    calls: list[object] = []

    def once(texts: Mapping[str, str], how: Mapping[str, str]) -> tuple[str, str]:
        calls.append(how)
        return write(texts, how)

    fitted = await fit_prompt(once, {"a": "one", "b": "two"}, 200)
    assert (fitted.messages, fitted.lost, calls) == (write({"a": "one", "b": "two"}, {}), (), [{}])


async def test_what_is_too_long_is_cut_and_named_and_the_prompt_is_within_the_limit() -> None:
    fitted = await fit_prompt(write, {"the task": "short", "the input": LONG}, 500)
    assert fitted.lost == ("the input was too long for the model and was cut",)
    assert fitted.messages[1].startswith("the task whole:\n<result>\nshort\n</result>\n\nthe input cut:\n")
    assert 440 < size(fitted) <= 500


async def test_what_comes_first_gives_way_last() -> None:
    texts = {"the task": "Do it well. " * 50, "a": LONG, "b": LONG, "c": LONG, "d": LONG}
    fitted = await fit_prompt(write, texts, 500, first=("the task",))
    assert list(fitted.how) == ["a", "b", "c", "d"]
    assert texts["the task"] in fitted.messages[1]
    assert set((await fit_prompt(write, texts, 500)).how) == set(texts)


async def test_what_comes_first_is_cut_too_where_it_takes_more_than_half() -> None:
    fitted = await fit_prompt(write, {"the task": LONG, "a": LONG}, 500, first=("the task",))
    assert fitted.how == {"the task": "cut", "a": "cut"}
    assert size(fitted) <= 500


async def test_where_there_is_no_room_for_any_text_all_are_left_out() -> None:
    fitted = await fit_prompt(write, {"a": LONG, "b": "short"}, 10)
    assert fitted.lost == (
        "a was too long for the model and was left out",
        "b was too long for the model and was left out",
    )
    assert "middle" not in fitted.messages[1]
    assert "short" not in fitted.messages[1]


async def test_what_is_written_around_a_text_is_counted_in_and_as_much_of_the_text_is_kept_as_fits() -> None:
    fitted = await fit_prompt(write, {"a": "</result>" * 4000}, 500)
    assert fitted.how == {"a": "cut"}
    assert 350 < size(fitted) <= 500


async def test_few_characters_of_many_tokens_are_counted() -> None:
    fitted = await fit_prompt(write, {"a": "日" * 400}, 300)
    assert fitted.how == {"a": "cut"}
    assert size(fitted) <= 300


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=300) | st.just("</result>" * 40), max_size=6),
    st.integers(150, 600),
    st.sets(st.sampled_from("abcdef")),
)
async def test_the_prompt_is_never_longer_than_the_limit(texts: dict[str, str], limit: int, first: set[str]) -> None:
    fitted = await fit_prompt(write, texts, limit, first=first)
    assert size(fitted) <= limit
    for name, text in texts.items():
        assert (name in fitted.how) != (f"{name} whole:\n{tagged('result', text)}" in fitted.messages[1])


async def test_what_a_model_may_summarise_is_not_cut() -> None:
    async def ask(system: str, user: str) -> str:
        assert "middle words" in user
        return "In short."

    summarizer = Summarizer(ask=ask, limit=60_000, goal="g", task="t")
    fitted = await fit_prompt(write, {"the task": LONG, "a": LONG}, 500, first=("the task",), summarizer=summarizer)
    assert fitted.how == {"the task": "cut", "a": "summarised"}
    assert "a summarised:\n<result>\nIn short.\n</result>" in fitted.messages[1]
    assert size(fitted) <= 500
