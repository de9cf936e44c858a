import hashlib
import threading
from pathlib import Path

import pytest

from goalgraph.errors import InvalidPrompt
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, render

PART = {"step": "a", "marks": "", "task": "t", "notes": "", "text": "x"}


def answer(prompts: Prompts = DEFAULT_PROMPTS, **changes: object) -> str:
    values: dict[str, object] = {"goal": "g", "parts": [], "missing": ""}
    return prompts.render("synthesize", **(values | changes))


def test_a_template_is_filled_in_with_its_values() -> None:
    assert answer(parts=[PART]) == (
        "Goal:\ng\n\nResult of step [a], whose task was:\nt\nx\n\nWrite the answer to the goal."
    )


def test_braces_and_markup_in_a_value_stay_as_they_are() -> None:
    assert "\n{{ 7 * 7 }} {% raw %} <b>&amp;\n" in answer(goal="{{ 7 * 7 }} {% raw %} <b>&amp;")


def test_all_missing_and_surplus_values_are_named_at_once() -> None:
    with pytest.raises(InvalidPrompt) as caught:
        render("synthesize", parts=[], extra=1, other=2)
    assert "missing ['goal', 'missing'] and surplus ['extra', 'other']" in str(caught.value)


@pytest.mark.parametrize("values", [{"description": "d", "data": 1, "extra": 2}, {}], ids=["surplus", "missing"])
def test_a_surplus_or_missing_value_alone_is_an_invalid_prompt(values: dict[str, object]) -> None:
    with pytest.raises(InvalidPrompt, match=r"takes the values \['data', 'description'\]"):
        render("chat_model_system", **values)


@pytest.mark.parametrize("name", ["nowhere", "../synthesize", "", "templates/synthesize", "summarize user"])
def test_a_template_that_does_not_exist_is_an_invalid_prompt(name: str) -> None:
    for use in (render, DEFAULT_PROMPTS.messages, DEFAULT_PROMPTS.digest):
        with pytest.raises(InvalidPrompt, match="cannot be read"):
            use(name)


def test_a_value_of_the_wrong_shape_is_an_invalid_prompt() -> None:
    with pytest.raises(InvalidPrompt, match="cannot be rendered"):
        answer(parts=3)


def test_a_part_that_a_value_does_not_have_is_an_invalid_prompt() -> None:
    with pytest.raises(InvalidPrompt, match="cannot be rendered"):
        answer(parts=[{"step": "a"}])


def test_a_template_of_two_messages_is_divided_before_it_is_filled_in() -> None:
    mark = "\n<!-- user -->\n"
    system, user = DEFAULT_PROMPTS.messages("summarize", goal=f"g{mark}g", task="t", text="x", words=7)
    assert system.startswith("You shorten a text")
    assert user == f"g{mark}g\n\nt\n\nx\n\nWrite the summary of the text, in its language, in at most 7 words."


def test_a_template_of_one_message_is_not_taken_for_two() -> None:
    with pytest.raises(InvalidPrompt, match="'synthesize' has one message; divide it by a line '<!-- user -->'"):
        DEFAULT_PROMPTS.messages("synthesize", goal="g", parts=[], missing="")


def test_a_template_given_by_name_stands_in_for_the_built_in_one() -> None:
    prompts = Prompts({"synthesize": "Answer: {{ goal }}"})
    assert answer(prompts) == "Answer: g"
    assert prompts.overridden == ("synthesize",)
    assert answer().startswith("Goal:")


def test_templates_are_taken_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "synthesize.md").write_text("\ufeffAnswer: {{ goal }}\n", "utf-8")
    (tmp_path / ".hidden").write_text("")
    for given in (tmp_path, str(tmp_path)):
        assert answer(Prompts(given)) == "Answer: g"


def test_a_template_of_a_callers_own_is_given_exactly_the_values_of_the_built_in_one() -> None:
    prompts = Prompts({"synthesize": "Answer: {{ goal }}"})
    with pytest.raises(InvalidPrompt, match=r"missing \['missing', 'parts'\]"):
        prompts.render("synthesize", goal="g")


def test_a_template_of_a_callers_own_may_end_its_lines_as_it_likes() -> None:
    prompts = Prompts({"summarize": "Shorten.\r\n  <!-- user --> \r\n{{ text }}"})
    assert prompts.messages("summarize", goal="g", task="t", text="x", words=7) == ("Shorten.", "x")


def test_all_that_is_wrong_with_templates_is_said_at_once() -> None:
    wrong: dict[str, str] = {
        "synthesise": "x",
        "elsewhere": "x",
        "synthesize": "{{ gaol }} and {{ somebody }}",
        "synthesize_system": " \n",
        "chat_model_system": "one\n{% if data %}",
        "summarize": "{{ text }}",
        "assistant": "{% include 'other' %}\n<!-- user -->\n{{ goal }}",
        "report_writer": 3,  # type: ignore[dict-item]  # pyright: ignore[reportAssignmentType]
    }
    with pytest.raises(InvalidPrompt) as caught:
        Prompts(wrong)
    for problem in (
        "there is no prompt 'synthesise' (did you mean 'synthesize'?)",
        "there is no prompt 'elsewhere' (there are: assign, assistant, ",
        "'synthesize' names 'gaol', which is not offered to it (did you mean 'goal'?)",
        "'synthesize' names 'somebody', which is not offered to it (there are: goal, missing, parts)",
        "'synthesize_system' is empty",
        "'chat_model_system' cannot be read: line 2: unexpected end of input",
        "'summarize' has 0 lines '<!-- user -->', expected 1",
        "'assistant' uses 'include'",
        "'report_writer' must be text, found a int",
    ):
        assert problem in str(caught.value)


def test_a_block_over_both_messages_is_no_template() -> None:
    with pytest.raises(InvalidPrompt, match="'summarize' cannot be read"):
        Prompts({"summarize": "{% if goal %}\n<!-- user -->\n{% endif %}"})


def test_files_that_are_no_templates_are_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "synthesize.txt").write_text("x")
    (tmp_path / "plans.md").write_text("x")
    (tmp_path / "synthesize.md").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "assistant.md").mkdir()
    with pytest.raises(InvalidPrompt) as caught:
        Prompts(tmp_path)
    for name in ("'synthesize.txt' is no prompt", "'plans'", "'synthesize.md' cannot be read", "'assistant.md' is no"):
        assert name in str(caught.value)


def test_a_folder_that_is_not_there_is_an_invalid_prompt(tmp_path: Path) -> None:
    with pytest.raises(InvalidPrompt, match=r"No such file or directory; give a folder of <name>.md files"):
        Prompts(tmp_path / "nowhere")


def test_very_many_problems_are_counted() -> None:
    with pytest.raises(InvalidPrompt, match=r"and 10 more problems$"):
        Prompts({f"x{number}": "x" for number in range(30)})


def test_a_digest_tells_the_text_in_force() -> None:
    own = Prompts({"synthesize": "Answer: {{ goal }}"})
    assert own.digest("synthesize") == Prompts({"synthesize": "Answer: {{ goal }}"}).digest("synthesize")
    assert own.digest("synthesize") == hashlib.sha256(b"Answer: {{ goal }}").hexdigest()[:16]
    assert own.digest("synthesize") != DEFAULT_PROMPTS.digest("synthesize")
    assert own.digest("assistant") == DEFAULT_PROMPTS.digest("assistant")
    names = ("synthesize", "assistant")
    assert own.digests(names) == {name: own.digest(name) for name in names}


def test_every_built_in_template_can_be_read_and_given_back_as_an_override() -> None:
    folder = Path(__file__).parents[2] / "src/goalgraph/prompts/templates"
    assert Prompts(folder).overridden == DEFAULT_PROMPTS.names
    assert Prompts(folder).digests(DEFAULT_PROMPTS.names) == DEFAULT_PROMPTS.digests(DEFAULT_PROMPTS.names)


def test_many_threads_share_one_object() -> None:
    prompts = Prompts({"synthesize": "Answer: {{ goal }}"})
    answers: list[str] = []

    def work(number: int) -> None:
        for _ in range(50):
            assert answer(prompts, goal=str(number)) == f"Answer: {number}"
        answers.append(answer(prompts, goal="end"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["Answer: end"] * 8
