"""Templates of a caller's own in place of built-in ones: read, and checked before anything is rendered."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import cast

from minijinja import Environment, TemplateError

from goalgraph.errors import InvalidPrompt

__all__ = ["USER_MARK", "messages_in", "read_overrides"]

USER_MARK = "<!-- user -->"
"""A line of a template: what stands before it is the system's message, what stands after it the user's."""

_USER_LINE = re.compile(rf"^[ \t]*{USER_MARK}[ \t]*\r?$", re.MULTILINE)
_OTHER_TEMPLATES = re.compile(r"\{%-?\+?\s*(include|extends|import|from)\b")
_MOST_PROBLEMS = 20


def read_overrides(
    given: Mapping[str, str] | str | Path,
    built_in: Mapping[str, str],
    environment: Callable[[], Environment],
) -> dict[str, str]:
    """Read templates, and check each against the built-in one of its name.

    Args:
        given: Texts by name, or a folder of ``<name>.md`` files.
        built_in: Texts of the built-in templates by name.
        environment: Makes what the templates will be rendered with.

    Returns:
        Texts by name.

    Raises:
        InvalidPrompt: Some cannot be used; all that is wrong with all of them is said at once.
    """
    problems: list[str] = []
    texts = _of_folder(Path(given), problems) if isinstance(given, (str, Path)) else dict(given)
    rules = environment()
    for name, text in texts.items():
        if name not in built_in:
            problems.append(f"there is no prompt {name!r} ({_meant(name, built_in)})")
        elif not isinstance(cast("object", text), str):
            problems.append(f"prompt {name!r} must be text, found a {type(text).__name__}")
        else:
            problems += (f"prompt {name!r} {problem}" for problem in _problems(text, built_in[name], rules))
    if problems:
        shown, rest = problems[:_MOST_PROBLEMS], len(problems) - _MOST_PROBLEMS
        raise InvalidPrompt(
            f"the prompts cannot be used: {'; '.join(shown)}" + (f"; and {rest} more problems" if rest > 0 else "")
        )
    return texts


def messages_in(text: str) -> list[str]:
    """Divide a template into those of its messages."""
    return _USER_LINE.split(text)


def _of_folder(folder: Path, problems: list[str]) -> dict[str, str]:
    """Read the folder's files but for hidden ones."""
    texts: dict[str, str] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InvalidPrompt(
            f"the folder of prompts {str(folder)!r} cannot be read: {error.strerror or error}",
            hint="give a folder of <name>.md files",
        ) from error
    for path in paths:
        if path.suffix != ".md" or not path.is_file():
            problems.append(f"{path.name!r} is no prompt (the folder holds <name>.md files and nothing else)")
            continue
        try:
            texts[path.stem] = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path.name!r} cannot be read as UTF-8 text: {error}")
    return texts


def _problems(text: str, replaced: str, rules: Environment) -> Iterator[str]:
    if not text.strip():
        yield "is empty"
        return
    if found := _OTHER_TEMPLATES.search(text):
        yield f"uses {found[1]!r} (a prompt stands alone: write all of it into one text)"
    parts, wanted = messages_in(text), messages_in(replaced)
    if len(parts) != len(wanted):
        yield (
            f"has {len(parts) - 1} lines {USER_MARK!r}, expected {len(wanted) - 1} "
            "(what stands before the line is the system's message, what stands after it the user's)"
        )
    try:
        named = {name for part in (text, *parts) for name in rules.undeclared_variables_in_str(part)}
    except TemplateError as error:
        yield f"cannot be read: line {error.line}: {error.detail or error.kind}"
        return
    offered = rules.undeclared_variables_in_str(replaced)
    for name in sorted(named - set(offered)):
        yield f"names {name!r}, which is not offered to it ({_meant(name, offered)})"


def _meant(name: object, candidates: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name)[:100], candidates, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(sorted(candidates))}" if candidates else "it takes no values"
