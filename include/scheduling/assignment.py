"""Who is held out and who is control: salted hashes, so that an assignment needs no memory to be the same again."""

from __future__ import annotations

import hashlib
from typing import Literal

Arm = Literal["treated", "control", "holdout"]


def hash_share(salt: str, customer_id: str) -> float:
    """The customer's place in [0, 1) under ``salt``: the first 8 bytes of sha256("salt:customer_id"), uniform.

    Places under two salts are independent.
    """
    digest = hashlib.sha256(f"{salt}:{customer_id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53  # 53 bits: what a float in [0, 1) can hold


def control_salt(campaign_id: str) -> str:
    """Each campaign draws its own control group, independent of the holdout's salt."""
    return f"control:{campaign_id}"


def assign_arm(customer_id: str, *, is_held_out: bool, campaign_id: str, control_share: float) -> Arm:
    """The candidate's arm in one campaign, whether or not a message could reach it.

    That it does not depend on consent, address or caps is what lets a report compare everyone assigned.
    """
    if is_held_out:
        return "holdout"
    if hash_share(control_salt(campaign_id), customer_id) < control_share:
        return "control"
    return "treated"
