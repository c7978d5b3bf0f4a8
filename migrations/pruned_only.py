"""Triggers on the bytes of events: they are deleted only where a pruning is on record."""

from alembic import op

_RECORDED = (
    "NEW.event_id = OLD.event_id AND COALESCE(NEW.pruning_id, 0) > COALESCE(OLD.pruning_id, 0) AND EXISTS ("
    "SELECT 1 FROM lineage_pruned_event WHERE event_id = NEW.event_id AND pruning_id = NEW.pruning_id"
)
"""The bytes of an event become a residue that a later pruning recorded; the clause is left open."""


def protect_payloads() -> None:
    """Refuse every change of stored bytes but one that a pruning on record says."""
    said = "lineage_payload changes only as a pruning on record says"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER lineage_payload_no_delete BEFORE DELETE ON lineage_payload "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        op.execute(
            f"CREATE TRIGGER lineage_payload_no_update BEFORE UPDATE ON lineage_payload WHEN NOT ({_RECORDED})) "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION assay_pruned_only() RETURNS trigger LANGUAGE plpgsql AS "
        # SQLite has no such function; there `assay log fsck` compares the digests.
        f"$$ BEGIN IF NOT ({_RECORDED} AND residue_digest = sha256(NEW.body))) THEN "
        f"RAISE EXCEPTION '{said}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER lineage_payload_pruned_only BEFORE UPDATE ON lineage_payload "
        "FOR EACH ROW EXECUTE FUNCTION assay_pruned_only()"
    )
    op.execute(
        "CREATE TRIGGER lineage_payload_append_only BEFORE DELETE OR TRUNCATE ON lineage_payload "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )


def unprotect_payloads() -> None:
    """Drop the triggers that ``protect_payloads`` made."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS lineage_payload_no_{verb}")
        return
    for name in ("pruned_only", "append_only"):
        op.execute(f"DROP TRIGGER IF EXISTS lineage_payload_{name} ON lineage_payload")
    op.execute("DROP FUNCTION IF EXISTS assay_pruned_only")
