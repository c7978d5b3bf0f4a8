"""The types of events: what each tells of. Every type that is announced is here, and ``docs/ci.md`` lists them."""

TYPES: dict[str, str] = {
    "assay.approval.asked": "An evaluation waits for people: an approval or a review.",
    "assay.approval.given": "Somebody approved what an evaluation found.",
    "assay.review.given": "Somebody reviewed the warnings of an evaluation.",
    "assay.break_glass.granted": "A denied model may go live for some hours, by a named person.",
    "assay.decision.revoked": "A decision that allowed was taken back.",
    "assay.decision.taken": "The gate took a decision; dry runs are not told.",
    "assay.deployment.started": "A deployment was bound to a decision.",
    "assay.deployment.undecided": "Lineage tells of a deployment that no valid decision stands behind.",
    "assay.policy.published": "A version of a policy came to a stage.",
    "assay.review.closed": "The use of break-glass was looked into.",
    "assay.review.opened": "The use of break-glass must be looked into.",
    "assay.waiver.approved": "A waiver has an approval more.",
    "assay.waiver.requested": "Somebody asked for a waiver.",
    "assay.waiver.revoked": "A waiver was taken back.",
}
