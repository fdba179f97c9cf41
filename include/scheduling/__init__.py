"""Scheduling: who gets which message, on which channel, at which hour, and who gets none."""

from include.scheduling.approvals import (
    ApprovalSummary,
    CampaignsToApprove,
    Question,
    QuestionOutdated,
    find_campaigns_to_approve,
    read_question,
    record_approval,
)
from include.scheduling.dry_run import DryRunSummary, preview_messages, read_plan_previews
from include.scheduling.plan import ScheduleSummary, schedule_messages
from include.scheduling.policy_value import PolicyValueSummary, evaluate_policies
from include.scheduling.preview import Preview
from include.scheduling.preview_text import preview_text
from include.scheduling.response_models import ResponseSummary, learn_responses
from include.scheduling.send_times import SendTimeSummary, learn_send_times

__all__ = [
    "ApprovalSummary",
    "CampaignsToApprove",
    "DryRunSummary",
    "PolicyValueSummary",
    "Preview",
    "Question",
    "QuestionOutdated",
    "ResponseSummary",
    "ScheduleSummary",
    "SendTimeSummary",
    "evaluate_policies",
    "find_campaigns_to_approve",
    "learn_responses",
    "learn_send_times",
    "preview_messages",
    "preview_text",
    "read_plan_previews",
    "read_question",
    "record_approval",
    "schedule_messages",
]
