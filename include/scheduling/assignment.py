"""Who is held out and who is control: salted hashes, so that an assignment needs no memory to be the same again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

ARMS = ("treated", "control", "holdout")
TREATED, CONTROL, HOLDOUT = range(3)


def hash_share(salt: str, customer_id: str) -> float:
    """The customer's place in [0, 1) under ``salt``: the first 8 bytes of sha256("salt:customer_id"), uniform.

    Places under two salts are independent.
    """
    digest = hashlib.sha256(f"{salt}:{customer_id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53  # 53 bits: what a float in [0, 1) can hold


def hash_shares(salt: str, customer_ids: Iterable[str]) -> NDArray[np.float64]:
    """``hash_share`` of each, (customers,)."""
    begun = hashlib.sha256(f"{salt}:".encode())
    digests = []
    for customer_id in customer_ids:
        digest = begun.copy()
        digest.update(customer_id.encode())
        digests.append(digest.digest()[:8])
    return (np.frombuffer(b"".join(digests), ">u8") >> np.uint64(11)) / 2.0**53


def control_salt(campaign_id: str) -> str:
    """Each campaign draws its own control group, independent of the holdout's salt."""
    return f"control:{campaign_id}"


def arms(is_held_out: NDArray[np.bool_], is_control: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The arm of every candidate of one campaign, whether or not a message could reach it; the holdout comes first.

    That it does not depend on consent, address or caps is what lets a report compare everyone assigned.
    """
    return np.where(is_held_out, HOLDOUT, np.where(is_control, CONTROL, TREATED)).astype(np.int8)
