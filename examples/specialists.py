"""Specialists for the example plans: they read and write tables, publish, and review by rules, without a model."""

import ast
import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from goalgraph import Artifact, StepContext, StepResult, StepTask, specialist

LONGEST_LINE = 120
MOST_LEVELS = 3

VAGUE = ("as soon as possible", "asap", "etc", "some time", "reasonable", "tbd", "to be defined")


@specialist(capabilities=["tables"])
def csv_reader(task: StepTask, context: StepContext) -> JsonValue:
    """Reads the rows of a CSV file: input ``file`` and, where not all are wanted, ``columns``."""
    with Path(_text(task, "file")).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = task.input.get("columns")
    names = [str(name) for name in wanted] if isinstance(wanted, list) else list(rows[0] if rows else ())
    return {"rows": [{name: _number(row[name]) for name in names} for row in rows], "read": len(rows)}


@specialist(capabilities=["tables"])
def csv_writer(task: StepTask, context: StepContext) -> StepResult:
    """Writes rows to a CSV file below the current folder: input ``rows`` and ``file``."""
    rows = [row for row in cast("list[JsonValue]", task.input["rows"]) if isinstance(row, dict)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = _write(_text(task, "file"), text.getvalue())
    return StepResult(
        output={"file": str(path), "written": len(rows)},
        artifacts=(Artifact(path=str(path), media_type="text/csv", title=path.stem),),
    )


@specialist(capabilities=["publishing"])
def publisher(task: StepTask, context: StepContext) -> StepResult:
    """Publishes a text as a file below the current folder: input ``text`` and ``file``."""
    path = _write(_text(task, "file"), f"{_text(task, 'text').rstrip()}\n")
    return StepResult(
        output={"file": str(path), "words": len(_text(task, "text").split())},
        artifacts=(Artifact(path=str(path), media_type="text/markdown", title=path.stem),),
    )


@specialist(capabilities=["review"])
def figures_reviewer(task: StepTask, context: StepContext) -> JsonValue:
    """Checks that every figure of a text is in its source: input ``text`` and ``source``."""
    known = set(_figures(_text(task, "source")))
    surplus = [figure for figure in dict.fromkeys(_figures(_text(task, "text"))) if figure not in known]
    return _review([_finding(None, f"the figure {figure} is not in the source", must=True) for figure in surplus])


@specialist(capabilities=["review"])
def wording_reviewer(task: StepTask, context: StepContext) -> JsonValue:
    """Looks for vague words, and for gaps that nobody has filled in: input ``text``."""
    findings: list[JsonValue] = []
    for number, line in enumerate(_text(task, "text").splitlines(), 1):
        vague = [word for word in VAGUE if re.search(rf"\b{word}\b", line, re.IGNORECASE)]
        findings += [_finding(number, f"{word!r} is vague") for word in vague]
        if re.search(r"_{3,}|\[\s*\]|\bXX+\b", line):
            findings.append(_finding(number, "a gap is not filled in", must=True))
    return _review(findings)


@specialist(capabilities=["review", "code"])
def layout_reviewer(task: StepTask, context: StepContext) -> JsonValue:
    """Reviews how readable Python code is: long lines, deep nesting, no docstring; input ``code``."""
    code = _text(task, "code")
    findings = [
        _finding(number, f"the line has {len(line)} characters, more than {LONGEST_LINE}")
        for number, line in enumerate(code.splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    for function in _functions(ast.parse(code)):
        if ast.get_docstring(function) is None:
            findings.append(_finding(function.lineno, f"{function.name} has no docstring"))
        if (levels := _levels(function)) > MOST_LEVELS:
            findings.append(_finding(function.lineno, f"{function.name} nests {levels} levels deep"))
    return _review(findings)


@specialist(capabilities=["review", "code"])
def errors_reviewer(task: StepTask, context: StepContext) -> JsonValue:
    """Reviews how Python code treats errors and files: bare and silent excepts, files left open; input ``code``."""
    tree = ast.parse(_text(task, "code"))
    managed = {id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items}
    findings: list[JsonValue] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            findings.append(_finding(node.lineno, "a bare except also catches Ctrl-C and exits", must=True))
        elif isinstance(node, ast.ExceptHandler) and all(isinstance(one, ast.Pass) for one in node.body):
            findings.append(_finding(node.lineno, "the error is dropped without a trace"))
        elif isinstance(node, ast.Call) and _called(node) == "open" and id(node) not in managed:
            findings.append(_finding(node.lineno, "the file is opened without 'with', and stays open"))
    return _review(findings)


@specialist(capabilities=["review", "code"])
def defaults_reviewer(task: StepTask, context: StepContext) -> JsonValue:
    """Reviews the defaults of Python functions: lists and dicts that all calls share; input ``code``."""
    findings: list[JsonValue] = []
    for function in _functions(ast.parse(_text(task, "code"))):
        for default in (*function.args.defaults, *function.args.kw_defaults):
            shared = isinstance(default, (ast.List, ast.Dict, ast.Set))
            if shared or (isinstance(default, ast.Call) and _called(default) in ("list", "dict", "set")):
                what = f"{function.name} has a default that all of its calls share"
                findings.append(_finding(function.lineno, what, must=True))
    return _review(findings)


@specialist(capabilities=["judging"])
def judge(task: StepTask, context: StepContext) -> JsonValue:
    """Weighs reviews: one finding that must be mended decides, else the majority; input ``reviews`` by reviewer."""
    reviews = cast("Mapping[str, Mapping[str, JsonValue]]", task.input["reviews"])
    against = [name for name, review in reviews.items() if review["verdict"] == "change"]
    found = [
        {**finding, "reviewer": name}
        for name, review in reviews.items()
        for finding in cast("list[dict[str, JsonValue]]", review["findings"])
    ]
    found.sort(key=lambda finding: (not finding["must"], cast("int", finding["line"] or 0)))
    must = sum(1 for finding in found if finding["must"])
    verdict = "change" if must or 2 * len(against) > len(reviews) else "approve"
    lines = [
        f"# Verdict: {verdict}",
        f"{len(against)} of {len(reviews)} reviewers ask for changes; {must} of {len(found)} findings must be mended.",
    ]
    for title, wanted in (("Must be mended", True), ("Should be better", False)):
        told = [_told(finding) for finding in found if finding["must"] is wanted]
        lines += [f"## {title}", "\n".join(told)] if told else []
    return cast(
        "JsonValue", {"verdict": verdict, "against": against, "findings": found, "markdown": "\n\n".join(lines)}
    )


everybody = [
    csv_reader,
    csv_writer,
    publisher,
    figures_reviewer,
    wording_reviewer,
    layout_reviewer,
    errors_reviewer,
    defaults_reviewer,
    judge,
]


def _text(task: StepTask, name: str) -> str:
    value = task.input.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the input {name!r} must be text, found {value!r}")
    return value


def _number(text: str) -> JsonValue:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _write(name: str, text: str) -> Path:
    """Write a file as a whole; a plan cannot reach out of the current folder with it."""
    path = Path(name)
    if not path.resolve().is_relative_to(Path.cwd()):
        raise ValueError(f"expected a file below the current folder, found {name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path


def _figures(text: str) -> list[str]:
    """Find the figures of a text, but not those that say where in a file something stands."""
    return [figure.rstrip(".,") for figure in re.findall(r"\d[\d.,]*", re.sub(r", line \d+", "", text))]


def _finding(line: int | None, what: str, *, must: bool = False) -> dict[str, JsonValue]:
    return {"line": line, "what": what, "must": must}


def _review(findings: list[JsonValue] | list[dict[str, JsonValue]]) -> JsonValue:
    return {"verdict": "change" if findings else "approve", "findings": [*findings]}


def _told(finding: Mapping[str, JsonValue]) -> str:
    where = f"line {finding['line']}: " if finding["line"] else ""
    return f"- {where}{finding['what']} ({finding['reviewer']})"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _levels(node: ast.AST) -> int:
    """Count how many blocks stand inside of each other at most."""
    deepest = max((_levels(child) for child in ast.iter_child_nodes(node)), default=0)
    return deepest + isinstance(node, (ast.For, ast.While, ast.If, ast.With, ast.Try))


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
