"""Letters from templates. One file gives both forms of a letter, so plain text and HTML cannot drift apart.

A template is `<language>/<name>.j2`: a block `subject` (one line) and a block `body`, whose paragraphs,
tables and buttons come from `_parts.txt.j2` or `_parts.html.j2`. Where one form needs its own words,
`<name>.txt.j2` or `<name>.html.j2` goes before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jinja2
import msgspec

from dealerflow.adapters.documents.formats import FALLBACK_LANGUAGE, date_text, money_text
from dealerflow.adapters.documents.words import words_of
from dealerflow.application.letters import BrokenTemplate, Letter, LetterFacts, UnknownTemplate
from dealerflow.domain.ids import short_number
from dealerflow.domain.money import Money

Form = Literal["txt", "html"]
Row = tuple[str, str]

SHIPPED = Path(__file__).parent / "templates"
PARTS = ("p", "table", "button", "link", "car_list")  # the macros of _parts.*.j2
CALLED_SHORT = ("order_id", "load")  # in tables by the number that pages show
FACT_NAMES = frozenset(field.name for field in msgspec.structs.fields(LetterFacts))


class TemplateLetters:
    """A `LetterWriter` over the shipped templates and, before them, an installation's own folder.

    The own folder may override a template in one language, add templates and languages, and replace the
    frame of every letter (`_layout.html.j2`, `_layout.txt.j2`, `_parts.…`). Templates are compiled once and
    kept.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._folders = [SHIPPED] if own is None else [own, SHIPPED]
        self._text = _environment(self._folders, "txt")
        self._html = _environment(self._folders, "html")

    def write(self, template: str, facts: LetterFacts) -> Letter:
        """See `LetterWriter.write`."""
        language = self._language(template, facts.language)
        context = _context(facts, language)
        try:
            text = self._choose(self._text, language, template, "txt")
            context["subject"] = _subject(text, context)
            html = self._choose(self._html, language, template, "html")
            return Letter(
                subject=context["subject"],
                text=_tidy(text.render(context)),
                html=html.render(context).strip() + "\n",
            )
        except jinja2.TemplateError as error:
            raise BrokenTemplate(_where(template, language, error)) from error

    def templates(self) -> frozenset[str]:
        """See `LetterWriter.templates`."""
        files = (file for folder in self._folders for file in folder.glob("*/*.j2"))
        return frozenset(_name(file) for file in files if not file.name.startswith("_"))

    def _language(self, template: str, wanted: str) -> str:
        short = wanted.replace("_", "-").split("-")[0].lower()
        for language in (wanted, short, FALLBACK_LANGUAGE):
            if self._has(language, template):
                return language
        known = ", ".join(sorted(self.templates()))
        raise UnknownTemplate(f"There is no letter template “{template}”. Known templates: {known}.")

    def _has(self, language: str, template: str) -> bool:
        if not (_is_plain(language) and _is_plain(template)):
            return False
        files = (
            folder / language / f"{template}{end}" for folder in self._folders for end in _endings("txt")
        )
        return any(file.is_file() for file in files)

    @staticmethod
    def _choose(environment: jinja2.Environment, language: str, template: str, form: Form) -> jinja2.Template:
        return environment.select_template([f"{language}/{template}{end}" for end in _endings(form)])


def _endings(form: Form) -> tuple[str, str]:
    return f".{form}.j2", ".j2"


def _environment(folders: list[Path], form: Form) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=form == "html",  # noqa: S701 - plain text must not be escaped
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"money": _money, "date": _date, "short": short_number}
    environment.globals["layout"] = f"_layout.{form}.j2"
    parts = environment.get_template(f"_parts.{form}.j2").module
    environment.globals |= {name: getattr(parts, name) for name in PARTS}
    return environment


@jinja2.pass_context
def _money(context: jinja2.runtime.Context, value: Money | None) -> str:
    if value is None:
        raise jinja2.TemplateRuntimeError("there is no amount here: ask “if” before “| money”")
    return money_text(value, context["language"])


@jinja2.pass_context
def _date(context: jinja2.runtime.Context, value: int | None) -> str:
    if value is None:
        raise jinja2.TemplateRuntimeError("there is no time here: ask “if” before “| date”")
    return date_text(value, context["timezone"], context["language"])


def _context(facts: LetterFacts, language: str) -> dict[str, Any]:
    word = words_of(language)

    def hello(name: str | None) -> str:
        return word["hello"].format(name) if name else word["hello_nobody"]

    return {
        **msgspec.structs.asdict(facts),
        "language": language,
        "word": word,
        "hello": hello,
        "rows": _rows(facts, language),
    }


def _rows(facts: LetterFacts, language: str) -> Callable[..., list[Row]]:
    """A function that gives (label, value) for each of the named facts that is known."""
    word = words_of(language)

    def rows(*names: str) -> list[Row]:
        if unknown := [name for name in names if name not in FACT_NAMES]:
            raise jinja2.UndefinedError(f"there is no fact “{unknown[0]}”")
        known = ((name, getattr(facts, name)) for name in names)
        return [(word[name], _value(name, value, facts, language)) for name, value in known if value]

    return rows


def _value(name: str, value: object, facts: LetterFacts, language: str) -> str:
    if isinstance(value, Money):
        return money_text(value, language)
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    if name == "estimated_arrival" and isinstance(value, int):
        return date_text(value, facts.timezone, language)
    return short_number(str(value)) if name in CALLED_SHORT else str(value)


def _subject(template: jinja2.Template, context: dict[str, Any]) -> str:
    if "subject" not in template.blocks:
        raise jinja2.TemplateRuntimeError("the block “subject” is missing")
    try:
        return _one_line("".join(template.blocks["subject"](template.new_context(context))))
    except jinja2.TemplateError:
        template.environment.handle_exception()  # raises it again, with the template's own lines


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _tidy(text: str) -> str:
    """Plain text with single empty lines between its parts and no blanks at line ends."""
    lines: list[str] = []
    for line in (line.rstrip() for line in text.strip().splitlines()):
        if line or lines[-1]:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _name(file: Path) -> str:
    return file.name.removesuffix(".j2").removesuffix(".txt").removesuffix(".html")


def _is_plain(name: str) -> bool:
    """No way out of the folders, and no part of the frame."""
    return bool(name) and name.replace("-", "").replace("_", "").isalnum() and not name.startswith("_")


def _where(template: str, language: str, error: jinja2.TemplateError) -> str:
    file, line = f"{language}/{template}.j2", None
    if isinstance(error, jinja2.TemplateSyntaxError):
        file, line = error.name or file, error.lineno
    else:
        line = _line_in(error, file)
    place = f"{file}, line {line}" if line else file
    return f"The letter template {place}: {error.message or error}"


def _line_in(error: BaseException, file: str) -> int | None:
    """The template's line from the traceback: Jinja names its generated frames after the template file."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
