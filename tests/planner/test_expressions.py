"""Expressions: what they see, what they need, what comes out, and that none of them can do harm."""

import copy
import subprocess
import sys
import time
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph.planner.expressions import ExpressionError, condition, evaluate, is_template, references, resolve

SCOPE: dict[str, Any] = {
    "input": {"path": "a.csv", "limit": 3, "items": "a field", "empty": None},
    "steps": {
        "read": {
            "output": {"rows": [{"n": 1}, {"n": 2}], "text": "say {{ 1 + 1 }}", "price": 2.5, "none": None},
            "status": "succeeded",
            "confidence": 0.9,
        },
        "1": {"output": "one", "status": "succeeded"},
        "a-b.c": {"output": "odd id", "status": "failed"},
        "key_0": {"output": "a key"},
    },
    "now": lambda: "2026-01-01T00:00:00+00:00",
}
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("steps.read.output.rows | length > 1", True),
        ("{{ steps.read.output.rows[1].n }}", 2),
        ("steps['1'].output", "one"),
        ('steps["a-b.c"].status == "failed"', True),
        ("steps.key_0.output", "a key"),
        ("input['path']", "a.csv"),
        ("input.items", "a field"),
        ("input.empty", None),
        ("steps.read.output.none is none", True),
        ("steps.read.output.rows | map(attribute='n') | join('-')", "1-2"),
        ("'x' in steps['1'].output or input.limit in [1, 3]", True),
        ("input.limit * steps.read.output.price * 2 - -1", 16.0),
        ("2 * steps.read.output.rows | length", 4),
        ("2 * (input.limit + 1) ** 2 * 3", 96),
        ("input.nothing | default('d')", "d"),
        ("'a' if input.nothing is defined else 'b'", "b"),
        ("'}}'", "}}"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("now()", "2026-01-01T00:00:00+00:00"),
        ("range(3) | list", [0, 1, 2]),
        ("range(10000) | length", 10_000),
        ("2 * input['limit'] + range(3)[1] * 2", 8),
        ("steps.read.output.rows | tojson", '[{"n": 1}, {"n": 2}]'),
        ("'a-b' | replace('-', '+')", "a+b"),
        ("steps.read.output | items | list | length", 4),
        ("steps.read.output.rows == [{'n': 1}, {'n': 2}]", True),
    ],
)
def test_an_expression_has_a_native_value(expression: str, value: JsonValue) -> None:
    assert evaluate(expression, SCOPE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no expression", "no expression"),
        ("{{ input.limit }}", 3),
        (" {{ input.limit }}\n", 3),
        ("{{ input.limit }} rows of {{ input.path }}", "3 rows of a.csv"),
        ("{{ input.limit }}{{ input.limit }}", "33"),
        ("{{ steps.read.output.rows }}!", '[{"n": 1}, {"n": 2}]!'),
        ("{{ true }} {{ none }} {{ 1.5 }}", "true none 1.5"),
        ("a  {{- ' b ' -}}  c", "a b c"),
        ("100 % of {% if %} and {# this #}", "100 % of {% if %} and {# this #}"),
        ("{% if input.limit %}{{ input.limit }}{% endif %}", "{% if input.limit %}3{% endif %}"),
        ("<b>{{ '<i>' }}", "<b><i>"),
    ],
)
def test_expressions_in_texts_are_replaced(text: str, value: JsonValue) -> None:
    assert resolve(text, SCOPE) == value


def test_expressions_are_replaced_at_any_depth_and_keys_are_left() -> None:
    assert resolve({"{{ k }}": ["{{ input.limit }}", {"x": "{{ input.path }}"}, 1, None]}, SCOPE) == {
        "{{ k }}": [3, {"x": "a.csv"}, 1, None]
    }


@pytest.mark.parametrize("text", ["{{ steps.read.output.text }}", "it does {{ steps.read.output.text }}"])
def test_an_output_that_looks_like_an_expression_stays_text(text: str) -> None:
    once = resolve(text, SCOPE)
    assert isinstance(once, str)
    assert once.endswith("say {{ 1 + 1 }}")


@given(JSON)
def test_what_an_expression_names_arrives_unchanged(value: JsonValue) -> None:
    assert evaluate("steps.a.output", {"steps": {"a": {"output": value}}}) == value


def test_what_an_expression_gives_shares_nothing_with_the_outcome() -> None:
    scope = copy.deepcopy({"steps": SCOPE["steps"]})
    rows: Any = evaluate("steps.read.output.rows", scope)
    rows.append("more")
    rows[0]["n"] = 99
    assert scope == {"steps": SCOPE["steps"]}


@pytest.mark.parametrize(
    "expression",
    [
        "steps.read.output.rows.append(1)",
        "steps.read.output.rows.clear()",
        "steps.read.output.clear()",
        "steps.read.output.update({'x': 1})",
        "input['clear']()",
        "input.pop('path')",
        "[input.clear] | first",
    ],
)
def test_an_expression_changes_nothing(expression: str) -> None:
    scope = copy.deepcopy({name: SCOPE[name] for name in ("input", "steps")})
    with pytest.raises(ExpressionError):
        evaluate(f"{expression} or 1 / 0", scope)
    assert scope == {name: SCOPE[name] for name in ("input", "steps")}


@pytest.mark.parametrize(
    "expression",
    [
        "input.nothing",
        "input.nothing.more",
        "steps.gone.output",
        "steps.read.output.missing",
        "steps.read.output.keys",
        "steps.read.output.items",
        "steps.read.output.rows.count",
        "steps.read.output.rows[7]",
        "steps.read.output.rows[0].x",
        "steps['1'].output.x",
        "1 + input.nothing",
        "input.nothing == 1",
        "not input.nothing",
        "whatever",
    ],
)
def test_what_is_not_there_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, SCOPE)
    with pytest.raises(ExpressionError):
        resolve(f"got {{{{ {expression} }}}}", SCOPE)


HOSTILE = {
    "class": "''.__class__.__mro__",
    "input class": "input.__class__",
    "function globals": "now.__globals__",
    "attr filter": "input | attr('__class__')",
    "format": "'{0.__class__}'.format(1)",
    "power tower": "9**9**9",
    "big text": "'a' * 10**9",
    "big text by input": "input.path * 10000000",
    "turned round": "10000000 * input.path",
    "nested repeats": "[[[0] * 10000] * 10000] * 10000 | string",
    "repeat of a filter": "(input.path | upper) * 99999999",
    "repeat behind a filter": "99999999 * input.path | upper",
    "repeat behind a group": "99999999 * (input.path)",
    "repeat behind a subscript": "99999999 * input['path']",
    "repeat of a call": "now() * 99999999",
    "range": "range(10**9) | list",
    "range past the cap": "range(10001) | length",
    "range backwards": "range(0, -(10**9), -1) | list",
    "join": "range(10000) | join('" + "a" * 1000 + "') | length",
    "replace": "('" + "a" * 2000 + "' | replace('a', '" + "a" * 2000 + "')) | length",
    "map with arguments": "range(10000) | map('default', range(10000)) | list",
    "format filter": "'%2000000000d' | format(1)",
    "indent": "'a' | indent(1000000000)",
    "batch": "[1] | batch(1000000000, 1)",
    "slice": "[1] | slice(1000000000)",
    "wide json": "[1] | tojson(indent=1000000000)",
    "debug": "debug()",
    "lipsum": "lipsum(1000000)",
    "parentheses": "(" * 5000 + "1" + ")" * 5000,
    "lists": "[" * 5000 + "]" * 5000,
    "not": "not " * 20_000 + "1",
    "minus": "-" * 20_000 + "1",
    "plus": "1+" * 20_000 + "1",
    "and": "1 and " * 20_000 + "1",
    "if": "1 if 1 else " * 20_000 + "1",
    "fields": "input" + ".x" * 20_000,
    "filters": "1" + "|abs" * 20_000,
    "quotes": "'" * 20_001,
    "a function": "now",
    "infinite": "1e999",
    "surrogate": "'\ud800'",
    "empty": "",
    "two": "1 2",
    "unclosed text": "'a",
    "unclosed group": "(1",
    "unknown filter": "1 | nope",
    "unknown function": "open('/etc/passwd')",
    "statement": "{% for i in range(9) %}{% endfor %}",
    "by zero": "1 / 0",
}


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("form", ["{}", "{{{{ {} }}}}", "text {{{{ {} }}}}"], ids=["bare", "braces", "in text"])
def test_hostile_expressions_are_refused_at_once(expression: str, form: str) -> None:
    text = form.format(expression)
    began = time.thread_time()
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, SCOPE) if form == "{}" else resolve(text, SCOPE)
    assert time.thread_time() - began < 1
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["{{", "a {{ b", "{{ 'a }}", "{{ { }}", "{{ 1 }} {{"])
def test_an_expression_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        resolve(text, SCOPE)
    with pytest.raises(ExpressionError):
        references(text)


def test_what_a_text_grows_to_is_capped() -> None:
    scope = {"input": {"big": "x" * 600_000}}
    assert evaluate("input.big", scope) == scope["input"]["big"]
    with pytest.raises(ExpressionError, match="more than 1000000 characters"):
        resolve("{{ input.big }} and {{ input.big }}", scope)


def test_a_text_of_very_many_expressions_is_refused() -> None:
    with pytest.raises(ExpressionError, match="1000 expressions"):
        resolve("{{ 1 }}," * 5_000, SCOPE)


@pytest.mark.parametrize("expression", ["not " * 20_000 + "1", "1+" * 20_000 + "1", "-" * 20_000 + "1"])
def test_the_process_survives_the_longest_expressions(expression: str) -> None:
    program = (
        "import sys; from goalgraph.planner.expressions import *\n"
        "for do in (references, lambda text: resolve(text, {})):\n"
        "    try: do('{{ ' + sys.stdin.read() + ' }}')\n"
        "    except ExpressionError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=expression, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["refused"])


def _shown(value: object) -> str:
    return repr(sorted(cast("set[str]", value)) if isinstance(value, set) else value)


@pytest.mark.parametrize(
    ("value", "steps", "inputs"),
    [
        ("plain steps.a.output", set[str](), set[str]()),
        ("{{ steps.a.output.x.y }} {{ steps['b-1'].output }}", {"a", "b-1"}, set[str]()),
        ('{{ steps["1"].output }}', {"1"}, set[str]()),
        ("{{ steps.key_7.output }}", {"key_7"}, set[str]()),
        ({"x": [{"y": "{{ input.a.b }}"}]}, set[str](), {"a"}),
        ("{{ 'steps.no.output' ~ \"steps['no']\" }}", set[str](), set[str]()),
        ("{{ steps . a . output if steps [ 'b' ] . status else now() }}", {"a", "b"}, set[str]()),
        ("{{ steps.a.output | default(steps.b.output) }}", {"a", "b"}, set[str]()),
        ("{{ steps.a.output[input.key] }}", {"a"}, {"key"}),
        (b"{{ steps.a }}", set[str](), set[str]()),
        (None, set[str](), set[str]()),
    ],
    ids=_shown,
)
def test_references_are_found(value: object, steps: set[str], inputs: set[str]) -> None:
    found = references(value)
    assert (set(found.steps), set(found.inputs)) == (steps, inputs)


@pytest.mark.parametrize("text", ["{{ steps }}", "{{ steps | length }}", "{{ steps[input.x].output }}"])
def test_taking_all_steps_at_once_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="all steps at once"):
        references(text)


@pytest.mark.parametrize("when", ["steps.a.output > 1", "{{ steps.a.output > 1 }}", "  {{ steps['a'].output }} "])
def test_a_condition_may_have_braces_or_none(when: str) -> None:
    assert condition(when).steps == {"a"}


@pytest.mark.parametrize("when", ["{{ 1 }} and {{ 2 }}", "1 }}", "1 }} {{ 2", "1) or (2", "", " "])
def test_a_condition_is_one_expression(when: str) -> None:
    with pytest.raises(ExpressionError):
        condition(when)
    with pytest.raises(ExpressionError):
        evaluate(when, SCOPE)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("a", False), ("{{ a }}", True), ({"a": ["{{ b }}"]}, True), ("{% a %}", False), (b"{{ }}", False), (3, False)],
    ids=repr,
)
def test_a_template_is_known_by_its_braces(value: object, is_one: bool) -> None:
    assert is_template(value) is is_one


WORDS = st.sampled_from(
    [
        *("input", "steps", ".read", ".output", ".rows", "['1']", "*", "**", "-", "(", ")", "[", "]", "{", "}", ":"),
        *(",", "|", "length", "join", "map", "'a'", "10000", "0", " ", "range", "not ", "if", "else", "is", "{{", "}}"),
        *("\\", '"', "~"),
    ]
)


@given(st.lists(WORDS, max_size=15).map("".join))
def test_any_text_is_a_value_or_an_expression_error(text: str) -> None:
    for do in (lambda: evaluate(text, SCOPE), lambda: resolve(f"{{{{ {text} }}}}", SCOPE), lambda: references(text)):
        try:
            found = do()
        except ExpressionError:
            continue
        assert len(repr(found)) < 2_000_000


@pytest.mark.parametrize(
    "text",
    [
        "{{ steps.a.output[:4] }}",
        "{{ steps.a.output[1:4] | int }}",
        "{{ [steps.a.output[:2][1:], {'k': 1}] }}",
        "{{ (steps.a.output.rows)[{'k': [1, 2]}['k'][0]:] }}",
    ],
)
def test_what_is_sliced_is_named(text: str) -> None:
    assert references(text).steps == {"a"}
