"""The rows of ``message_decisions`` and ``messages``, as COPY takes them, some customers of one campaign at a time."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow
from numpy.typing import NDArray

from include.db.tables import AWAITING_APPROVAL, DECISIONS, POLICIES
from include.scheduling.assignment import ARMS
from include.scheduling.draws import WHOLE, Millionths
from include.scheduling.eligibility import obstacle_words
from include.scheduling.night import Mask, Night, Numbers
from include.scheduling.outcome import NO_GHOST, RANDOM_HOUR, Messages, Outcome
from include.scheduling.people import REACHED
from include.scheduling.policy import POLICY_VERSION
from include.scheduling.slots import HOURS
from include.settings import CHANNELS

MESSAGE_NAMESPACE = uuid.UUID("6a5d5c0e-3f0e-5c1e-9a53-0f6f1b0f7d11")
"""Fixed for ever: a message's id follows from what makes it unique."""
VALUE_TERMS = ("rate", "orders_per_click", "margin", "cost", "fatigue", "price")
AT_ONCE = 100_000


def decision_rows(night: Night, outcome: Outcome) -> Iterator[pyarrow.Table]:
    """Every decision but those kept, by campaign and customer."""
    for campaign in range(len(night.campaigns)):
        for start in range(0, len(night.people), AT_ONCE):
            some = np.arange(start, min(start + AT_ONCE, len(night.people)))
            yield _decisions(night, outcome, campaign, some[~outcome.is_kept[campaign, some]])


def _decisions(night: Night, outcome: Outcome, campaign: int, customers: Numbers) -> pyarrow.Table:
    messages = outcome.messages
    size = len(night.people)
    first, last = np.searchsorted(
        messages.campaign * size + messages.customer,
        campaign * size + np.array([customers.min(initial=0), customers.max(initial=-1) + 1]),
    )
    mine = messages.of(slice(first, last))
    firsts, seconds = mine.of(~mine.is_second), mine.of(mine.is_second)
    told = _spread(_first_columns(night, campaign, firsts, seconds), customers, firsts.customer)
    told |= _spread(_second_columns(night, seconds), customers, seconds.customer)
    sentence = _words(outcome.sentences, outcome.sentence[campaign, customers])
    reason = pyarrow.compute.coalesce(told.pop("reason"), sentence)
    ghost = outcome.ghost[campaign, customers]
    fixed = {
        "business_date": pyarrow.repeat(night.business_date.isoformat(), len(customers)),
        "campaign_id": pyarrow.repeat(night.campaigns[campaign].campaign_id, len(customers)),
        "customer_id": night.people.ids.take(pyarrow.array(customers)),
        "arm": _words(ARMS, outcome.arm[campaign, customers]),
        "decision": _words(DECISIONS, outcome.decision[campaign, customers]),
        "reason": reason,
        "is_ghost": pyarrow.array(ghost == 1, mask=ghost == NO_GHOST),
        "policy_version": pyarrow.repeat(POLICY_VERSION, len(customers)),
    }
    return pyarrow.table(fixed | told)


def _first_columns(night: Night, campaign: int, firsts: Messages, seconds: Messages) -> dict[str, pyarrow.Array]:
    return {
        "reason": pyarrow.array(_reasons(night, campaign, firsts, seconds), pyarrow.string()),
        "policy": _words(POLICIES, firsts.how),
        **_choice_columns(night, firsts, VALUE_TERMS),
    }


def _second_columns(night: Night, seconds: Messages) -> dict[str, pyarrow.Array]:
    told = _choice_columns(night, seconds, ("unclicked", *VALUE_TERMS))
    return {f"second_{name}": column for name, column in told.items()}


def _choice_columns(night: Night, messages: Messages, terms: Sequence[str]) -> dict[str, pyarrow.Array]:
    zone, hour = night.people.zone[messages.customer], messages.choice % HOURS
    propensity = messages.probabilities[np.arange(len(messages)), messages.drawn] / WHOLE
    return {
        "channel": _words(CHANNELS, messages.choice // HOURS),
        "send_at": _instants(night.hours.send_at[zone, hour]),
        "propensity": pyarrow.array(propensity, mask=messages.is_repaired),
        "slot_probabilities": pyarrow.array(_slot_probabilities(messages.probabilities), pyarrow.string()),
        "expected_value": pyarrow.array(messages.value),
        "value_terms": pyarrow.array(_value_terms(messages, terms), pyarrow.string()),
        "explored": pyarrow.array(~messages.best, mask=messages.is_repaired),
    }


def message_rows(night: Night, outcome: Outcome) -> Iterator[pyarrow.Table]:
    """Every message but those kept, without its content, which follows from its campaign and customer."""
    for start in range(0, len(outcome.messages), AT_ONCE):
        messages = outcome.messages.of(slice(start, start + AT_ONCE))
        zone, hour = night.people.zone[messages.customer], messages.choice % HOURS
        campaigns = [campaign.campaign_id for campaign in night.campaigns]
        waits = np.array([campaign.requires_approval for campaign in night.campaigns])[messages.campaign]
        yield pyarrow.table(
            {
                "message_id": _message_ids(night, messages),
                "campaign_id": _words(campaigns, messages.campaign),
                "customer_id": night.people.ids.take(pyarrow.array(messages.customer)),
                "channel": _words(CHANNELS, messages.choice // HOURS),
                "send_at": _instants(night.hours.send_at[zone, hour]),
                "not_after": _instants(night.hours.not_after[zone, hour]),
                "leading_item_id": pyarrow.array(_leading_items(night, messages), pyarrow.string()),
                "state": _words(("planned", AWAITING_APPROVAL), waits.astype(np.int64)),
                "cost": pyarrow.array(messages.cost),
            }
        )


def _leading_items(night: Night, messages: Messages) -> list[str | None]:
    """The items that call for the messages."""
    leading = [audience.items for audience in night.audiences]
    return [
        leading[campaign].get(customer)
        for campaign, customer in zip(messages.campaign.tolist(), messages.customer.tolist(), strict=True)
    ]


def _message_ids(night: Night, messages: Messages) -> pyarrow.Array:
    """uuid5 of ``[campaign_id, customer_id, channel, send_date]`` as JSON: one message there can be of each."""
    beginnings = [f"[{json.dumps(campaign.campaign_id)}, " for campaign in night.campaigns]
    endings = [f', "{channel}", "{night.send_date.isoformat()}"]' for channel in CHANNELS]
    ids = night.people.ids.take(pyarrow.array(messages.customer)).to_pylist()
    made = []
    for campaign, customer_id, channel in zip(
        messages.campaign.tolist(), ids, (messages.choice // HOURS).tolist(), strict=True
    ):
        name = beginnings[campaign] + json.dumps(customer_id) + endings[channel]
        digest = hashlib.sha1(MESSAGE_NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()
        made.append(str(uuid.UUID(bytes=digest[:16], version=5)))
    return pyarrow.array(made, pyarrow.string())


def _words(words: tuple[str | None, ...] | list[str], numbers: NDArray[np.integer]) -> pyarrow.Array:
    """Words by number, null for -1."""
    return pyarrow.array([*words, None], pyarrow.string()).take(
        pyarrow.array(np.where(numbers < 0, len(words), numbers).astype(np.int64))
    )


def _spread(columns: dict[str, pyarrow.Array], customers: Numbers, owners: Numbers) -> dict[str, pyarrow.Array]:
    """``columns`` of ``owners``, for all ``customers`` (ascending): null where a customer is none of them."""
    row = np.full(len(customers), -1)
    row[np.searchsorted(customers, owners)] = np.arange(len(owners))
    rows = pyarrow.array(row, mask=row < 0)
    return {name: column.take(rows) for name, column in columns.items()}


def _instants(microseconds: Numbers) -> pyarrow.Array:
    """As Postgres reads them; few are distinct."""
    known, number = np.unique(microseconds, return_inverse=True)
    texts = [f"{text}+00" for text in np.datetime_as_string(known.astype("datetime64[us]"))]
    return _words(texts, number)


# --- sentences and JSON of messages --------------------------------------------------------------------------------


def _reasons(night: Night, campaign: int, firsts: Messages, seconds: Messages) -> list[str]:
    """Of the first messages, with their seconds."""
    also = dict(zip(seconds.customer.tolist(), _clauses(night, seconds), strict=True))
    words = zip(
        firsts.customer.tolist(), _clauses(night, firsts), _remarks(night, campaign, firsts.customer), strict=True
    )
    return [
        f"{clause}{f'; and {also[customer]}' if customer in also else ''}{remark}."
        for customer, clause, remark in words
    ]


def _clauses(night: Night, messages: Messages) -> list[str]:
    """Where each message goes, and how chance put it there."""
    feasible = messages.probabilities > 0
    hours = feasible.sum(axis=1).tolist()
    channels = feasible.reshape(len(messages), len(CHANNELS), HOURS).any(axis=2).sum(axis=1).tolist()
    zones = night.people.zones
    share = messages.probabilities[np.arange(len(messages)), messages.drawn] / WHOLE
    clauses = []
    for number, (choice, drawn, how, is_repaired, zone, of) in enumerate(
        zip(
            messages.choice.tolist(),
            messages.drawn.tolist(),
            messages.how.tolist(),
            messages.is_repaired.tolist(),
            night.people.zone[messages.customer].tolist(),
            share.tolist(),
            strict=True,
        )
    ):
        place = f"{CHANNELS[choice // HOURS]} at {choice % HOURS:02d}:00 {zones[zone]}"
        if is_repaired:
            full = f"{CHANNELS[drawn // HOURS]} at {drawn % HOURS:02d}:00"
            clauses.append(f"{place}, moved there by a repair: the drawn hour, {full}, was full")
            continue
        among = f"{hours[number]} feasible hours" + (f" of {channels[number]} channels" if channels[number] > 1 else "")
        manner = "its hour drawn evenly, to compare with," if how == RANDOM_HOUR else "drawn"
        clauses.append(f"{place}, {manner} with probability {of:.3f} from {among}")
    return clauses


def _remarks(night: Night, campaign: int, customers: Numbers) -> list[str]:
    """Why other channels of the campaign were no choice, in brackets."""
    people = night.people
    channels = [CHANNELS.index(channel) for channel in night.campaigns[campaign].channels]
    kinds, kind = np.unique(people.obstacle[channels][:, customers], axis=1, return_inverse=True)
    words = []
    for obstacles in kinds.T:
        met = [
            obstacle_words(people, channel, obstacle)
            for channel, obstacle in zip(channels, obstacles, strict=True)
            if obstacle != REACHED
        ]
        words.append(f" ({'; '.join(met)})" if met else "")
    return [words[number] for number in kind.ravel()]


def _slot_probabilities(probabilities: Millionths) -> list[str]:
    """``{"email": {"08": 0.25, …}, …}`` of every row; rows with the same feasible choices share a template."""
    texts = _numbers_as_text(probabilities)
    masks, mask = np.unique(np.packbits(probabilities > 0, axis=1), axis=0, return_inverse=True)
    told: list[str] = [""] * len(probabilities)
    for number, packed in enumerate(masks):
        feasible = np.unpackbits(packed)[: probabilities.shape[1]].astype(bool)
        template = _template(feasible)
        rows = np.flatnonzero(mask.ravel() == number)
        for row, values in zip(rows.tolist(), texts[rows][:, feasible].tolist(), strict=True):
            told[row] = template % tuple(values)
    return told


def _numbers_as_text(probabilities: Millionths) -> NDArray[np.object_]:
    known = np.flatnonzero(np.bincount(probabilities.ravel(), minlength=WHOLE + 1))
    texts = np.empty(WHOLE + 1, object)
    texts[known] = [f"{value / WHOLE:.6f}".rstrip("0").rstrip(".") or "0" for value in known.tolist()]
    return np.asarray(texts[probabilities])


def _template(feasible: Mask) -> str:
    parts = []
    for number, name in enumerate(CHANNELS):
        hours = np.flatnonzero(feasible[number * HOURS : (number + 1) * HOURS])
        if len(hours):
            inner = ", ".join(f'"{hour:02d}": %s' for hour in hours)
            parts.append(f'"{name}": {{{inner}}}')
    return "{" + ", ".join(parts) + "}"


def _value_terms(messages: Messages, names: Sequence[str]) -> list[str]:
    template = "{" + ", ".join(f'"{name}": %.9g' for name in names) + "}"
    columns = np.stack([getattr(messages, name) for name in names], axis=1)
    return [template % tuple(row) for row in columns.tolist()]
