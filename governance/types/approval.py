"""What people say of an evaluation: approvals that a policy asks for, and reviews of warnings."""

from typing import Literal

from pydantic import Field

from governance.types.value import Digest, Remark, Value


class ApprovalRule(Value):
    """So many people with this role must approve before the gate allows."""

    role: Literal["approver"] = "approver"
    count: int = Field(1, ge=1, le=16)


class ApprovalRequest(Value):
    """A yes or no to exactly what the pending answer showed as ``to_approve``."""

    approved_digest: Digest
    verdict: Literal["approve", "reject"]
    comment: Remark = ""


class ReviewRequest(Value):
    """Whether the warnings may pass; ``reviewed_digest`` is what the pending answer showed as ``to_approve``."""

    reviewed_digest: Digest
    verdict: Literal["accept", "reject"]
    comment: Remark = ""
