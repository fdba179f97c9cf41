"""A night's preview as plain text for a terminal. Pure: previews in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from include.scheduling.preview import Example, Preview

WIDTH = 40
"""Characters of the longest bar."""


def preview_text(previews: Sequence[Preview], currency: str) -> str:
    """What ``read_plan_previews`` gives, campaign by campaign: decisions, messages by channel and hour, money.

    Hours are those of the customers' own clocks.
    """
    everything, *campaigns = previews
    lines = [*_headline(everything, currency), *_hours(everything)]
    for preview in campaigns:
        lines += ["", *_campaign(preview, currency)]
    if not campaigns:
        lines.append("No campaign is in force on that day.")
    return "\n".join(lines)


def _headline(preview: Preview, currency: str) -> Iterator[str]:
    title = f"Plan for {preview.send_date}: nothing of it is kept or sent"
    yield title
    yield "=" * len(title)
    yield _figures(preview, currency)
    yield from _decisions(preview)


def _campaign(preview: Preview, currency: str) -> Iterator[str]:
    title = f"{_line(preview.name)} (campaign {_line(preview.campaign_id)})"
    yield title
    yield "-" * len(title)
    yield _figures(preview, currency)
    yield from _decisions(preview)
    for example in preview.examples:
        yield from _example(example, currency)


def _figures(preview: Preview, currency: str) -> str:
    channels = "".join(f", {count:,} by {_words(channel)}" for channel, count in preview.by_channel.items())
    awaiting = f", {preview.awaiting_approval:,} of them await approval" if preview.awaiting_approval else ""
    return (
        f"{preview.messages:,} messages{channels}{awaiting}; cost {preview.cost:,.2f} {currency}, "
        f"expected value {preview.expected_value:,.2f} {currency}, {preview.explored:,} hours drawn to learn"
    )


def _decisions(preview: Preview) -> Iterator[str]:
    width = max((len(_words(decision)) for decision in preview.decisions), default=0)
    for decision, candidates in preview.decisions.items():
        yield f"  {_words(decision):<{width}}  {candidates:>10,}"


def _hours(preview: Preview) -> Iterator[str]:
    largest = max((count for of_channel in preview.hours.values() for count in of_channel.values()), default=0)
    for channel, of_channel in preview.hours.items():
        yield f"  {_words(channel)} by hour"
        for hour, count in of_channel.items():
            yield f"    {hour}:00 {count:>8,}  {'#' * max(1, round(WIDTH * count / largest))}"


def _example(example: Example, currency: str) -> Iterator[str]:
    worth = "" if example.expected_value is None else f", worth {example.expected_value:,.4f} {currency}"
    yield f"  e.g. {_words(example.channel)}, {datetime.fromisoformat(example.at):%a %d %b %H:%M}{worth}"
    yield f"       {'; '.join(map(_line, example.items))}"
    yield f"       {_line(example.reason)}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _line(words: str) -> str:
    """One line without control characters, which a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
