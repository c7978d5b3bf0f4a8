"""A small instance whose decisions are signed, logged and exported the way the service does it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from governance.bundle import decision_bundle, decision_leaf, trust_of
from governance.canonical import canonical, sha256
from governance.database import Database
from governance.log import journal
from governance.log.journal import Leaf
from governance.log.publish import publish
from governance.signing.dsse import Envelope, sign
from governance.signing.keys import KeyRing
from governance.signing.rings import create_ring
from governance.signing.statement import decision_statement
from governance.signing.stores import FolderKeys, KeyStore
from governance.types.decision import CheckOutcome, Decision
from governance.types.policy import PolicyReference
from governance.types.results import CheckResult, CheckStatus, Origin, Reason, Verdict
from governance.types.subject import Subject
from governance.types.value import Severity

ORIGIN = "assay.example/log"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MODEL = Subject(namespace="mlflow://models.example", name="credit-line", version="7", digest=sha256(b"the model"))


def decision(**changes: object) -> Decision:
    """A complete decision; ``changes`` replace fields."""
    result = CheckResult(
        check="fairness",
        check_version="1",
        status=CheckStatus.PASSED,
        reason="fairness.within_limits",
        message="The impact ratio is 0.97.",
        observed="0.97",
        limit="0.8",
        n="48842",
    )
    outcome = CheckOutcome(
        id="fairness",
        title="Fairness",
        severity=Severity.HIGH,
        reason_planned="the policy requires it",
        result=result,
        measurement_digest=sha256(b"measurement"),
        origin=Origin.MEASURED,
        collected_at=NOW,
    )
    whole = Decision(
        decision_id="0195d3c2-0000-7000-8000-000000000001",
        origin=ORIGIN,
        verdict=Verdict.ALLOW,
        reasons=(Reason(code="gate.all_passed", message="Every check passed."),),
        checks=(outcome,),
        subject=MODEL,
        environment="prod",
        policy=PolicyReference(name="baseline", version=1, digest=sha256(b"policy")),
        engine="assay 0.1.0",
        evaluated_at=NOW,
        valid_until=NOW + timedelta(days=90),
        input_digest=sha256(b"inputs"),
        nonce="00112233445566778899aabbccddeeff",
    )
    return whole.model_copy(update=changes)


@dataclass(frozen=True)
class Instance:
    """A database with a log, the keys, and the folder that outlives the database."""

    database: Database
    keys: KeyStore
    home: Path

    @property
    def ring(self) -> KeyRing:
        """The keys as they are now."""
        return self.keys.ring()

    def envelope(self, taken: Decision) -> Envelope:
        """The decision's statement, signed."""
        return sign(canonical(decision_statement(taken, taken.value_digest())), self.ring.decision)

    def log(self, *bodies: bytes) -> range:
        """Leaves of other kinds."""
        with self.database.unit() as unit:
            return journal.append(unit, [Leaf("event", body) for body in bodies])

    def seal(self, envelope: Envelope) -> int:
        """Append the envelope's leaf; its index."""
        leaf = Leaf("decision", decision_leaf(envelope, self.ring.decision.public))
        with self.database.unit() as unit:
            return journal.append(unit, [leaf])[0]

    def export(self, envelope: Envelope, index: int) -> bytes:
        """The bundle of a sealed envelope under a checkpoint signed now."""
        checkpoint = publish(self.database, self.keys, origin=ORIGIN, kept=self.home / "checkpoint")
        with self.database.read_unit() as unit:
            inclusion = journal.inclusion(unit, index, checkpoint.size)
        return decision_bundle(
            envelope,
            self.ring.decision.public,
            index=index,
            inclusion=inclusion,
            checkpoint=checkpoint,
            checkpoint_key=self.ring.checkpoint.public,
        )

    def bundle(self, taken: Decision) -> bytes:
        """A decision sealed between other leaves, and exported."""
        envelope = self.envelope(taken)
        self.log(b"before 0", b"before 1", b"before 2")
        index = self.seal(envelope)
        self.log(b"after 0", b"after 1")
        return self.export(envelope, index)

    def trust(self) -> bytes:
        """The instance's trust file."""
        return trust_of(self.ring, ORIGIN).content()


def build_instance(database: Database, home: Path) -> Instance:
    """An instance with fresh keys, valid since an hour before ``NOW``."""
    create_ring(home / "keys", clock=lambda: NOW - timedelta(hours=1))
    return Instance(database, FolderKeys(home / "keys"), home)
