"""Templates to text: Jinja2 in its sandbox, with MJML compiled to HTML once per template, before values are filled in.

A template is a folder below ``templates/``, named by the campaign's ``template`` (none: ``default``):
``email.mjml``, ``email.txt`` and ``subject.txt`` for email; ``push.txt`` for app push, title on its first line.
Each sees the fields of ``presentation.MessageView``. HTML is escaped; a name the view does not have is an error.
Around MJML elements, Jinja statements go in ``<mj-raw>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

from jinja2 import DictLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html

from include.delivery.outbox import ClaimedMessage
from include.delivery.presentation import MessageView, one_line
from include.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_TEMPLATE = "default"
TEMPLATE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

TEMPLATE_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What an expression written by a template's author can raise."""


class TemplateProblem(Exception):
    """A message cannot be written; the text names template, file and remedy."""


@dataclass(frozen=True)
class EmailText:
    subject: str
    plain: str
    html: str


@dataclass(frozen=True)
class PushText:
    title: str
    body: str


class Renderer:
    """Fills templates; compiled ones are kept for the life of the renderer."""

    def __init__(self, settings: Settings, templates: Path = TEMPLATES) -> None:
        self.settings = settings
        self._templates = templates
        # No loader that could read files: a template stands alone.
        self._html = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined, loader=DictLoader({}))
        self._plain = ImmutableSandboxedEnvironment(
            autoescape=False, undefined=StrictUndefined, loader=DictLoader({}), trim_blocks=True, lstrip_blocks=True
        )
        self._compiled: dict[tuple[str, str], Template] = {}

    def email(self, message: ClaimedMessage, view: MessageView) -> EmailText:
        """Subject, plain text and HTML; raises TemplateProblem."""
        return EmailText(
            subject=one_line(self._fill(message, "subject.txt", view)),
            plain=self._fill(message, "email.txt", view),
            html=self._fill(message, "email.mjml", view),
        )

    def push(self, message: ClaimedMessage, view: MessageView) -> PushText:
        """Title and body; raises TemplateProblem."""
        title, _, body = self._fill(message, "push.txt", view).strip().partition("\n")
        return PushText(title=one_line(title), body=body.strip())

    def _fill(self, message: ClaimedMessage, file: str, view: MessageView) -> str:
        if not view.items:
            raise TemplateProblem(
                "nothing to show: every item of this message is unknown or out of stock in marketing.items by now"
            )
        name = message.content.get("template") or DEFAULT_TEMPLATE
        values = {field.name: getattr(view, field.name) for field in fields(view)}
        try:
            return self._template(name, file).render(values)
        except TEMPLATE_FAULTS as fault:
            raise TemplateProblem(f"template {name!r}, {file}: {type(fault).__name__}: {fault}") from fault

    def _template(self, name: str, file: str) -> Template:
        if (name, file) not in self._compiled:
            source = self._read(name, file)
            if file.endswith(".mjml"):
                # fonts: none, since MJML would have a mail client fetch known ones from Google.
                html = mjml2html(source, disable_comments=True, fonts={})
                self._compiled[name, file] = self._html.from_string(html)
            else:
                self._compiled[name, file] = self._plain.from_string(source)
        return self._compiled[name, file]

    def _read(self, name: str, file: str) -> str:
        path = self._templates / name / file
        # The name comes from campaign data: it must not lead out of the folder.
        if not TEMPLATE_NAME.fullmatch(name) or not path.is_file():
            known = sorted(folder.name for folder in self._templates.iterdir() if (folder / file).is_file())
            raise TemplateProblem(
                f"template {name!r} has no {file}: add the folder, or set the campaign's template to one of "
                f"{', '.join(known)}, or to nothing for {DEFAULT_TEMPLATE}"
            )
        return path.read_text(encoding="utf-8")
