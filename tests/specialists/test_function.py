"""Functions as specialists: what they are given, where they run, what comes back."""

import asyncio
import contextvars
import functools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from goalgraph import StepContext, StepTask, specialist
from goalgraph.errors import InvalidSpecialist
from goalgraph.specialists import FunctionSpecialist
from goalgraph.specialists.threads import in_thread

TASK = StepTask(step="s", instruction="do it", input={"x": 1})
CONTEXT = StepContext(goal="g")
TEXT = 'do it\n\n<input>\n{\n "x": 1\n}\n</input>'
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Desk:
    """Does work at a desk."""

    def __call__(self, text: str) -> str:
        return f"desk {text}"

    def blocking(self, task: StepTask, context: StepContext) -> str:
        return f"{task.step} for {context.goal}"

    async def waiting(self, text: str) -> str:
        await asyncio.sleep(0)
        return f"waited {text}"


class AsyncDesk:
    async def __call__(self, task: StepTask, context: StepContext) -> str:
        await asyncio.sleep(0)
        return f"{task.step} async"


def one(text: str) -> str:
    """Takes text."""
    return f"one {text}"


def two(task: StepTask, context: StepContext) -> str:
    return f"{task.step} for {context.goal}"


async def async_one(text: str) -> str:
    await asyncio.sleep(0)
    return f"async {text}"


async def async_two(task: StepTask, context: StepContext) -> str:
    await asyncio.sleep(0)
    return f"{task.step} async"


def optional(text: str, language: str = "en", *, strict: bool = False, **more: object) -> str:
    return f"{language} {text}"


def everything(*arguments: object) -> str:
    return " ".join(type(argument).__name__ for argument in arguments)


def awaitable(text: str) -> Any:
    return async_one(text)


def nothing() -> None: ...


def three(a: str, b: str, c: str) -> None: ...


def only_keywords(**more: str) -> None: ...


def demanding(text: str, *, key: str) -> None: ...


LAMBDA: Callable[[str], str] = lambda text: text  # noqa: E731
BUILTIN: Callable[..., object] = max


def prefixed(prefix: str, text: str) -> str:
    """Puts something before."""
    return f"{prefix} {text}"


@pytest.mark.parametrize(
    ("function", "returned"),
    [
        (one, f"one {TEXT}"),
        (two, "s for g"),
        (async_one, f"async {TEXT}"),
        (async_two, "s async"),
        (optional, f"en {TEXT}"),
        (everything, "StepTask StepContext"),
        (awaitable, f"async {TEXT}"),
        (LAMBDA, TEXT),
        (Desk(), f"desk {TEXT}"),
        (Desk().blocking, "s for g"),
        (Desk().waiting, f"waited {TEXT}"),
        (AsyncDesk(), "s async"),
        (functools.partial(prefixed, "so:"), f"so: {TEXT}"),
        (functools.partial(async_one), f"async {TEXT}"),
        (len, len(TEXT)),
    ],
    ids=[
        *(
            "one",
            "two",
            "async one",
            "async two",
            "optional",
            "any",
            "awaitable",
            "lambda",
            "callable",
            "bound",
            "async",
        ),
        *("async callable", "partial", "async partial", "builtin"),
    ],
)
async def test_a_function_is_given_text_or_task_and_context(function: Callable[..., object], returned: object) -> None:
    assert await specialist(function).run(TASK, CONTEXT) == returned


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (nothing, "takes 0 parameters"),
        (three, "takes 3 parameters"),
        (only_keywords, "takes 0 parameters"),
        (demanding, "keyword-only"),
        (BUILTIN, "does not tell its parameters"),
    ],
    ids=["none", "three", "keywords", "keyword-only", "no signature"],
)
def test_a_function_of_another_form_is_refused(function: Callable[..., object], said: str) -> None:
    with pytest.raises(InvalidSpecialist, match=said) as caught:
        specialist(function)
    assert caught.value.hint == "write it as f(task, context), or as f(text)"


def test_name_and_description_are_the_functions_own_unless_given() -> None:
    assert (specialist(one).card.name, specialist(one).card.description) == ("one", "Takes text.")
    assert specialist(functools.partial(prefixed, "a")).card.name == "prefixed"
    assert specialist(functools.partial(prefixed, "a")).card.description == "Puts something before."
    assert specialist(Desk()).card.description == "Does work at a desk."
    assert specialist(two).card.description == ""
    made = specialist(name="n", description="", capabilities=["a", "b"], max_concurrency=2)(one)
    assert made.card.model_dump() == {
        "name": "n",
        "description": "",
        "capabilities": ("a", "b"),
        "max_concurrency": 2,
        "output_schema": None,
        "model": None,
        "cost_usd": None,
        "seconds": None,
        "effects": False,
        "replica_of": None,
    }


def test_one_text_in_place_of_several_capabilities_is_refused() -> None:
    with pytest.raises(InvalidSpecialist, match=r"found the text 'research'; write \['research'\]"):
        specialist(capabilities="research")


def test_a_decorated_function_can_still_be_called() -> None:
    @specialist
    def twice(text: str) -> str:
        """Says it twice."""
        return text + text

    assert isinstance(twice, FunctionSpecialist)
    assert twice("a") == "aa"
    assert twice.__doc__ == "Says it twice."
    assert repr(twice) == "<specialist 'twice'>"


async def test_context_variables_reach_sync_functions_and_do_not_come_back() -> None:
    def ask(text: str) -> str:
        before = WHO.get()
        WHO.set("the thread")
        return before

    WHO.set("the caller")
    assert await specialist(ask).run(TASK, CONTEXT) == "the caller"
    assert WHO.get() == "the caller"


async def test_sync_functions_run_at_the_same_time_and_leave_the_loop_free() -> None:
    everyone = threading.Barrier(20, timeout=10)

    def meet(text: str) -> bool:
        everyone.wait()
        return threading.current_thread() is threading.main_thread()

    found = await asyncio.gather(*(specialist(meet).run(TASK, CONTEXT) for _ in range(20)))
    assert found == [False] * 20


async def test_the_exception_of_a_sync_function_arrives_as_it_is() -> None:
    error = ValueError("no")

    def fail(text: str) -> str:
        raise error

    with pytest.raises(ValueError, match="no") as caught:
        await specialist(fail).run(TASK, CONTEXT)
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), StopAsyncIteration()],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_sync_function_raises_arrives_and_ends_no_loop(error: BaseException) -> None:
    def fail(text: str) -> str:
        raise error

    with pytest.raises(type(error)) as caught:
        await specialist(fail).run(TASK, CONTEXT)
    assert caught.value is error


async def test_a_sync_function_that_raises_stop_iteration_fails_as_a_coroutine_does() -> None:
    def fail(text: str) -> str:
        raise StopIteration("end")

    with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
        await specialist(fail).run(TASK, CONTEXT)


async def test_a_cancelled_call_says_that_its_thread_is_left_behind() -> None:
    release = threading.Event()

    async def cancelled(function: Callable[[], object]) -> asyncio.CancelledError:
        task = asyncio.create_task(in_thread(function))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value

    assert "thread is left behind" in str(getattr(await cancelled(release.wait), "__notes__", ()))
    release.set()


async def test_a_sync_function_that_outlives_its_timeout_disturbs_nobody() -> None:
    release = threading.Event()

    def hang(text: str) -> str:
        release.wait(10)
        raise ValueError("too late")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(specialist(hang).run(TASK, CONTEXT), 0.05)
    release.set()
    while any(thread.name == "specialist hang" for thread in threading.enumerate()):
        await asyncio.sleep(0.01)


def test_a_result_that_comes_after_the_loop_is_closed_is_dropped() -> None:
    release = threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(release.wait, 10), 0.05)

    asyncio.run(give_up())
    release.set()
    while any(thread.name == "specialist wait" for thread in threading.enumerate()):
        time.sleep(0.01)


def test_a_hanging_function_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import asyncio, time
from goalgraph import StepContext, StepTask, specialist

@specialist
def hang(text):
    time.sleep(600)

async def main():
    try:
        await asyncio.wait_for(hang.run(StepTask(step="s", instruction="x"), StepContext(goal="g")), 0.1)
    except TimeoutError:
        print("timed out")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "timed out\n"), done.stderr
