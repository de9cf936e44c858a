"""Render a prompt template; a value too few or too many is an error."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from threading import Lock

from minijinja import Environment, TemplateError

from goalgraph.errors import InvalidPrompt
from goalgraph.prompts.overrides import USER_MARK, messages_in, read_overrides

__all__ = ["DEFAULT_PROMPTS", "Prompts", "render"]

_DIGITS = 16
"""Hexadecimal digits of a digest: enough to tell versions apart, short enough to read."""


class Prompts:
    r"""The prompts that models are given: the built-in templates, any of them in a caller's own words.

    A template is Markdown with ``{{ value }}``, ``{% for %}`` and ``{% if %}``. It is given the same values as the
    built-in one of its name and need not name all of them. Values are data: braces inside of them are not evaluated.
    One object serves any number of threads and agents.

    ``create_plan_agent(..., prompts=...)`` takes such an object, or what makes one, and passes it to all parts that ask
    its model; parts that are made apart, such as `ModelSynthesizer` or the built-in specialists, take ``prompts=`` too.

    Examples:
        >>> prompts = Prompts({"summarize": "Shorten in {{ words }} words.\n<!-- user -->\n{{ text }}"})
        >>> prompts.messages("summarize", goal="g", task="t", text="long", words=5)
        ('Shorten in 5 words.', 'long')
    """

    def __init__(self, overrides: Mapping[str, str] | str | Path | None = None) -> None:
        """Take the templates that replace built-in ones.

        Args:
            overrides: Texts by name, or a folder of ``<name>.md`` files, read once; hidden files are passed over.

        Raises:
            InvalidPrompt: A name or file is no template's, a text is empty or no template, or it names a value that the
                built-in one is not given; all of it at once.
        """
        self._lock = Lock()
        self._overrides = (
            {} if overrides is None else read_overrides(overrides, _built_in(), lambda: _environment(_built_in()))
        )

    def __repr__(self) -> str:
        return f"<prompts, of a caller's own: {', '.join(self.overridden) or 'none'}>"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all templates, sorted."""
        return tuple(sorted(_built_in()))

    @property
    def overridden(self) -> tuple[str, ...]:
        """Names of those that are not the built-in ones, sorted."""
        return tuple(sorted(self._overrides))

    def render(self, name: str, /, **values: object) -> str:
        """Fill in a template.

        Args:
            name: Its name, such as ``"synthesize"``.
            **values: Exactly the values that the built-in template names.

        Returns:
            The text, without white space at its ends.

        Raises:
            InvalidPrompt: There is no such template, a value is missing or surplus, or one of them has the wrong shape.
        """
        _check(name, values)
        return self._filled(name, name, values)

    def messages(self, name: str, /, **values: object) -> tuple[str, str]:
        """Fill in the template ``name`` of two messages, whose parts a line ``<!-- user -->`` divides.

        The template is divided before it is filled in: such a line in a value stays where it is.

        Returns:
            Text of the system's message, and of the user's.

        Raises:
            InvalidPrompt: As for `render`; or the template has one message.
        """
        _check(name, values)
        if f"{name} user" not in self._sources:
            raise InvalidPrompt(f"prompt {name!r} has one message", hint=f"divide it by a line {USER_MARK!r}")
        return self._filled(name, f"{name} system", values), self._filled(name, f"{name} user", values)

    def digest(self, name: str, /) -> str:
        """Return what tells versions of the template ``name`` apart: the beginning of the SHA-256 of the text in force.

        Returns:
            16 hexadecimal digits.

        Raises:
            InvalidPrompt: There is no such template.
        """
        _wanted(name)
        return hashlib.sha256(self._sources[name].encode("utf-8", "replace")).hexdigest()[:_DIGITS]

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Return the digests of several templates, by name, in the order of ``names``.

        Raises:
            InvalidPrompt: There is no template of one of the names.
        """
        return {name: self.digest(name) for name in names}

    def _filled(self, name: str, source: str, values: Mapping[str, object]) -> str:
        try:
            # One at a time: the environment is shared, and what it calls to read a value may come back to it.
            with self._lock:
                return self._environment.render_template(source, **values).strip()
        except TemplateError as error:
            raise InvalidPrompt(f"prompt {name!r} cannot be rendered: {error.message}") from error

    @cached_property
    def _sources(self) -> dict[str, str]:
        """All texts in force by name, and those of two messages also in their parts."""
        whole = {**_built_in(), **self._overrides}
        parts: dict[str, str] = {}
        for name, text in whole.items():
            if len(divided := messages_in(text)) == 2:
                parts |= {f"{name} system": divided[0], f"{name} user": divided[1]}
        return whole | parts

    @cached_property
    def _environment(self) -> Environment:
        return _environment(self._sources)


DEFAULT_PROMPTS = Prompts()
"""The built-in templates as they are."""


def render(name: str, /, **values: object) -> str:
    """Fill in a built-in template; see `Prompts.render`."""
    return DEFAULT_PROMPTS.render(name, **values)


def _check(name: str, values: Mapping[str, object]) -> None:
    wanted = _wanted(name)
    missing, surplus = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
    if missing or surplus:
        found = [f"{word} {names}" for word, names in (("missing", missing), ("surplus", surplus)) if names]
        raise InvalidPrompt(
            f"prompt {name!r} takes the values {sorted(wanted)}; {' and '.join(found)}",
            hint="pass exactly the values that the template names",
        )


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, str]:
    folder = files("goalgraph.prompts").joinpath("templates")
    return {
        path.name.removesuffix(".md"): path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.name.endswith(".md")
    }


@lru_cache(maxsize=64)
def _wanted(name: str) -> frozenset[str]:
    text = _built_in().get(name)
    if text is None:
        raise InvalidPrompt(f"prompt {name!r} cannot be read: there is no such template")
    try:
        return frozenset(_environment(_built_in()).undeclared_variables_in_str(text))
    except TemplateError as error:
        raise InvalidPrompt(f"prompt {name!r} cannot be read: {error.message}") from error


def _environment(sources: Mapping[str, str]) -> Environment:
    return Environment(
        loader=sources.get,
        undefined_behavior="strict",
        auto_escape_callback=lambda _name: False,
        trim_blocks=True,
        lstrip_blocks=True,
        debug=False,
    )
