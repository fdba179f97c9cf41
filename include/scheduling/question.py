"""The question a person answers for a campaign, in Markdown. Pure: a preview in, text out."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from include.scheduling.preview import Example, Preview
from include.settings import Settings

NAME_LENGTH = 80
"""Characters shown of a campaign's name or an item's title."""
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@])")
"""What Markdown or HTML might read as more than text, links and images from elsewhere included."""


def question_subject(preview: Preview) -> str:
    """One line.

    >>> question_subject(Preview("c1", "Spring", "2017-12-01", awaiting_approval=1200))
    'Send 1,200 messages of “Spring” on Fri 1 Dec 2017?'
    """
    messages = "1 message" if preview.awaiting_approval == 1 else f"{preview.awaiting_approval:,} messages"
    return f"Send {messages} of “{_shortened(preview.name)}” on {_day(date.fromisoformat(preview.send_date))}?"


def question_body(preview: Preview, settings: Settings) -> str:
    """How many, at which hours, at what cost and worth, how many get none, three examples, and what a reply does."""
    scheduling = settings.scheduling
    zone = settings.business_time_zone
    sections = [
        f"**{escaped(preview.name)}** (campaign {escaped(preview.campaign_id)})",
        _table(
            ("", ""),
            [
                ("People", _people(preview)),
                ("Channels", ", ".join(f"{count:,} by {_words(name)}" for name, count in preview.by_channel.items())),
                ("Leaving", f"{_local(preview.first_at, zone)} to {_local(preview.last_at, zone)} ({zone})"),
                ("Cost", _money(preview.cost, settings)),
                ("Expected value", f"{_money(preview.expected_value, settings)}, cost taken off; a rough estimate"),
                ("Hours drawn to learn", f"{preview.explored:,} messages"),
            ],
        ),
        "**Three of them: the one expected to be worth most, one in the middle, the one worth least**",
        "\n".join(_example(example, settings) for example in preview.examples),
        "**Messages by hour on the customers' own clocks**",
        _hours(preview),
        "**Candidates of this night, by decision**",
        _table(("Decision", "Customers"), [(_words(name), f"{n:,}") for name, n in preview.decisions.items()]),
        f"**Approve** sends them, each at its hour; one whose hour is over by then leaves at once, up to "
        f"{scheduling.expires_after_hours} hours late and never in quiet hours. **Refuse**, or no answer within "
        f"{scheduling.approval_hours:g} hours: none of them is sent, and the next night plans and asks anew. "
        "If the night is planned again meanwhile and comes out otherwise, a new question stands beside this one: "
        "approving here then holds only for the plan shown here, should it come back, and refusing for every plan of "
        "the night.",
    ]
    return "\n\n".join(sections)


def _people(preview: Preview) -> str:
    people = preview.decisions.get("scheduled", 0)
    twice, gone = preview.messages - people, preview.messages - preview.awaiting_approval
    each = f"a message each, {twice:,} of them one on each channel" if twice else "one message each"
    left = f"; {gone:,} messages were let go before, and no answer calls them back" if gone else ""
    return f"{people:,}, {each}{left}"


def escaped(words: str) -> str:
    """``words`` as Markdown shows them literally, in one line.

    >>> escaped("![x](http://a) | <b>")
    '\\\\!\\\\[x\\\\]\\\\(http\\\\://a\\\\) \\\\| \\\\<b\\\\>'
    """
    return MARKUP.sub(r"\\\1", _shortened(words))


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1].rstrip() + "…"


def _hours(preview: Preview) -> str:
    channels = list(preview.hours)
    hours = sorted({hour for of_channel in preview.hours.values() for hour in of_channel})
    rows = [(f"{hour}:00", *(f"{preview.hours[channel].get(hour, 0):,}" for channel in channels)) for hour in hours]
    return _table(("Hour", *map(_words, channels)), rows)


def _example(example: Example, settings: Settings) -> str:
    value = example.expected_value
    worth = "" if value is None else f", expected value {value:,.4f} {settings.currency}".replace("-", "−")
    at = datetime.fromisoformat(example.at)
    items = "; ".join(map(escaped, example.items))
    return f"- {_words(example.channel)}, {_day(at.date())} {at:%H:%M}{worth}: {items}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _words(code: str) -> str:
    return code.replace("_", " ")


def _money(amount: float, settings: Settings) -> str:
    sign = "−" if amount < 0 else ""
    return f"{sign}{abs(amount):,.2f} {settings.currency}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _local(instant: str | None, zone: str) -> str:
    if instant is None:
        return "–"
    local = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))
    return f"{_day(local.date())} {local:%H:%M}"
