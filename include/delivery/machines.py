"""By what a machine's open or click is known. The one place to add a scanner to."""

from __future__ import annotations

PROMPT_SECONDS = 10
"""Nobody opens or clicks this soon after sending or delivery; gateways fetch images and follow links then."""

BURST_LINKS = 3
BURST_SECONDS = 5
"""This many different links of one message followed within so many seconds: a scanner takes every link at once."""

MACHINE_AGENTS = (
    # Mailbox providers that fetch images themselves.
    "%googleimageproxy%",
    "%yahoomailproxy%",
    "%yahoocachesystem%",
    # Apple Mail Privacy Protection gives nothing but this.
    "mozilla/5.0",
    # Security gateways that follow links.
    "%barracuda%",
    "%proofpoint%",
    "%mimecast%",
    "%safelinks%",
    "%microsoft office existence discovery%",
    "%skypeuripreview%",
    "%symantec%",
    "%messagelabs%",
    "%trendmicro%",
    "%trend micro%",
    "%fireeye%",
    "%trustwave%",
    "%forcepoint%",
    "%sophos%",
    # Anything that says what it is.
    "%bot/%",
    "%bot;%",
    "%crawler%",
    "%spider%",
    "%headlesschrome%",
    "%python-requests%",
    "%curl/%",
    "%wget/%",
    "%go-http-client%",
)
"""Patterns of SQL LIKE on the lower-cased user agent."""
