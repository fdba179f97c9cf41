"""Whom a campaign may write to at all, before anyone competes: codes instead of objects. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from include.scheduling.night import Mask, Night, Numbers
from include.scheduling.people import NO_ADDRESS, NO_CONSENT, REACHED, People
from include.settings import CHANNELS

NO_CONSENT_NUMBER, NO_ADDRESS_NUMBER = 1, 2


@dataclass(frozen=True)
class Eligibility:
    """usable: (channels, customers), of the campaign's channels. refused: decision, sentence and customers of each."""

    usable: Mask
    refused: list[tuple[str, str, Numbers]]

    @classmethod
    def of(cls, night: Night, number: int) -> Self:
        campaign, people = night.campaigns[number], night.people
        audience = night.audiences[number]
        refused = [
            ("not_in_audience", sentence, np.flatnonzero(audience.verdicts == verdict))
            for verdict, sentence in audience.sentences.items()
        ]
        channels = [CHANNELS.index(channel) for channel in campaign.channels]
        usable = np.zeros(people.obstacle.shape, bool)
        usable[channels] = people.obstacle[channels] == REACHED
        inside = audience.members
        unreached = np.flatnonzero(inside & ~usable.any(axis=0))
        refused += _unreached(people, channels, unreached)
        silent = np.flatnonzero(inside & usable.any(axis=0) & np.isnan(night.margin[number]))
        sentence = f"No recommendations for {campaign.purpose} are published for this date."
        return cls(usable, [*refused, ("nothing_to_say", sentence, silent)])


def _unreached(people: People, channels: list[int], rows: Numbers) -> list[tuple[str, str, Numbers]]:
    """By what stands in the way of each channel."""
    met = people.obstacle[channels][:, rows]
    refused = []
    kinds, kind = np.unique(met, axis=1, return_inverse=True)
    for number in range(kinds.shape[1]):
        of_channels = kinds[:, number]
        # The channel that came furthest names the decision; the sentence tells of each.
        decision = {NO_CONSENT_NUMBER: NO_CONSENT, NO_ADDRESS_NUMBER: NO_ADDRESS}.get(of_channels.max(), "suppressed")
        told = "; ".join(
            obstacle_words(people, channel, obstacle) for channel, obstacle in zip(channels, of_channels, strict=True)
        )
        refused.append((decision, f"No channel can be used: {told}.", rows[kind.ravel() == number]))
    return refused


def obstacle_words(people: People, channel: int, obstacle: int) -> str:
    """Why a channel cannot be used."""
    words = {NO_CONSENT_NUMBER: "no consent", NO_ADDRESS_NUMBER: "no address"}
    return f"{CHANNELS[channel]}: {words.get(obstacle, f'address suppressed ({people.obstacles[obstacle]})')}"
