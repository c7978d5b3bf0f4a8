"""Answers of the gate as a service gives them, and names as attackers choose them."""

from typing import Any

from hypothesis import strategies as st

HOSTILE = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(codec=None), max_size=12),  # halves of surrogate pairs included
    st.sampled_from(
        [
            "]]>", "<![CDATA[", "</testcase>", "\x00\x08\x1f\ufffe", "::error::x", "\n::set-output name=verdict::allow",
            "%0A::error::x", "\r\n::add-mask::a", "##[error]x", "| a | b |", "\n| x |", "<script>alert(1)</script>",
            "![x](javascript:alert(1))", "[x](https://evil.example)", "https://evil.example", "@everyone", "#1",
            "`code`", "**bold**", "\u2028\u0085\x0b", "&amp;", "&#64;", "\\|", "\\", "a\\|b", "<!-- x -->", "~~x~~",
            "1. x", "- x", "www.evil.example", "\u202e", "EOF\nverdict=allow",
        ]
    ),
)  # fmt: skip


def check(name: str = "fairness", status: str = "passed", **changes: Any) -> dict[str, Any]:
    """A check of an answer."""
    return {
        "id": name, "required": True, "status": status, "reason": f"{name}.{status}",
        "message": f"{name} says {status}", "observed": "0.91", "interval": None, "limit": "0.8", "n": "400",
        "severity": "high", "evidence": None, "origin": "measured", "waiver_id": None, **changes,
    }  # fmt: skip


def reason(check_name: str | None, message: str, **changes: Any) -> dict[str, Any]:
    """A reason of an answer."""
    code = f"{check_name or 'policy'}.reason"
    return {"code": code, "check": check_name, "message": message, "severity": "high", "remediation": "", **changes}


def answer(verdict: str = "allow", *checks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An answer of the gate."""
    digest = "sha256:" + "5a" * 32
    return {
        "decision_id": "0198c0de-0000-7000-8000-000000000001", "verdict": verdict, "mode": "enforce", "reasons": [],
        "checks": list(checks or [check()]),
        "subject": {"namespace": "mlflow://models.test", "name": "credit-line", "version": "7", "digest": digest},
        "environment": "prod", "policy": {"name": "prod-default", "version": 3, "digest": digest},
        "engine": "assay 0.1.0", "evaluated_at": "2026-11-25T09:30:00.5Z", "valid_until": "2027-02-23T09:30:00.5Z",
        "links": {}, **changes,
    }  # fmt: skip


EVERY_STATUS = answer(
    "deny",
    *(check(status, status) for status in ("passed", "warned", "failed", "insufficient_evidence", "error", "not_run")),
    check("not_applicable", "not_applicable"),
    check("waived", "waived", waiver_id="w-17"),
    check("new", "a status of tomorrow"),
    reasons=[reason("failed", "below", remediation="Retrain it."), reason(None, "Nobody approved it.")],
)
"""One check of each status, one of a status that is not known, and a reason of the gate itself."""


@st.composite
def hostile_answers(draw: st.DrawFn) -> dict[str, Any]:
    """An answer whose every text is somebody else's."""
    text = HOSTILE
    statuses = st.sampled_from(["passed", "warned", "failed", "error", "not_run", "waived", "not_applicable"]) | text
    checks = draw(
        st.lists(
            st.builds(
                lambda name, status, message, code, waiver: check(
                    name, status, message=message, reason=code, waiver_id=waiver, observed=waiver
                ),
                text, statuses, text, text, st.none() | text,
            ),
            max_size=4,
        )
    )  # fmt: skip
    reasons = draw(st.lists(st.builds(reason, st.none() | text, text, remediation=text, code=text), max_size=3))
    subject = {"namespace": draw(text), "name": draw(text), "version": draw(text), "digest": draw(text)}
    verdict = draw(st.sampled_from(["allow", "deny", "indeterminate", "pending"]) | text)
    return answer(
        verdict, *checks, reasons=reasons, subject=subject, environment=draw(text), decision_id=draw(text),
        valid_until=draw(text),
    )  # fmt: skip
