"""Acts on policies: an author stores a version, somebody else publishes it, and what is refused leaves a trace."""

from dataclasses import dataclass

from audits import policy_records as records
from audits import store
from audits.catalog import pack, read_policy, validate
from audits.eligible import eligible_approvers
from audits.lint import LintFinding
from audits.policy_records import PolicyVersion, Publication
from audits.refusals import done_or_refused
from audits.schemas import require_registered
from audits.standing import require_forward, standing
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.database import Database, ReadUnit, Unit
from governance.errors import AssayError, DutiesNotSeparate, InputRefused
from governance.log.journal import lock
from governance.notices.outbox import announce
from governance.types.policy import Policy, Stage

SHIPPED = ("baseline",)
"""Packs that every instance holds from its first start."""

PRODUCT = Principal(id="assay:product", name="Assay", roles=())
"""Who publishes the shipped packs at the first start."""


@dataclass(frozen=True, slots=True)
class Act:
    """A publication that is asked for: the version, the stage it is to come to, and why."""

    name: str
    version: int
    stage: Stage
    note: str = ""


def pack_author(pack_name: str) -> str:
    """The stable id under which a pack that ships is stored: no person is its author."""
    return f"assay:pack:{pack_name}"


def store_version(unit: Unit, policy: Policy, principal: Principal) -> tuple[PolicyVersion, bool]:
    """Keep a version, which is not in force before somebody else publishes it; and whether it is new.

    What the newest version says already keeps its number and its author, unless that version was retired.

    Raises:
        NotPermitted: the principal may not write policies. InputRefused: it names a schema that is not registered.
    """
    principal.require(Permission.POLICY_WRITE)
    require_registered(unit, policy)
    lock(unit)  # before the newest version is read, so that two authors at one moment get two numbers
    latest = records.newest(unit, policy.name)
    if latest is not None and latest.digest == policy.value_digest() and not _is_retired(unit, latest):
        return latest, False
    return _add(unit, policy, latest, author=principal.id, author_name=principal.name), True


def publish(unit: Unit, act: Act, principal: Principal) -> tuple[Publication, bool]:
    """Bring a version to a stage, and whether that is new; what is at the stage already stays as it is.

    Raises:
        NotPermitted: the principal may not publish. DutiesNotSeparate: the principal wrote this version.
        NotFound: no such version. Conflict: a step back. InputRefused: the policy cannot be satisfied here.
    """
    principal.require(Permission.POLICY_PUBLISH)
    lock(unit)
    version = records.version_of(unit, act.name, act.version)
    if version.author == principal.id:
        raise DutiesNotSeparate(
            expected="a publisher who is not the author",
            found=f"{principal.name}, who wrote {act.name}@{act.version}",
            remedy="Let somebody else with the role policy_publisher publish it.",
        )
    return _publish(unit, act, version, principal)


def publish_or_record(database: Database, act: Act, principal: Principal) -> tuple[Publication, bool]:
    """``publish`` in a transaction of its own; a refusal to this person is kept, and raised.

    Raises:
        What ``publish`` raises.
    """
    upon = f"{act.name}@{act.version}"
    return done_or_refused(database, principal, "policy.publish", upon, lambda unit: publish(unit, act, principal))


def publish_pack(
    unit: Unit, pack_name: str, stage: Stage, principal: Principal, *, note: str = ""
) -> tuple[Publication, bool]:
    """Bring a pack to a stage exactly as it ships, and whether that is new; a publisher alone may do that.

    Raises:
        NotPermitted: the principal may not publish. NotFound: no such pack.
        Conflict: a step back. InputRefused: the pack cannot be satisfied here.
    """
    principal.require(Permission.POLICY_PUBLISH)
    lock(unit)
    version = _pack_version(unit, pack_name)
    return _publish(unit, Act(version.name, version.version, stage, note), version, principal)


def install_packs(unit: Unit) -> None:
    """Put the packs that ship in force where no policy of their name was ever stored: what people chose stays."""
    for name in SHIPPED:
        if records.newest(unit, name) is None:
            version = _pack_version(unit, name)
            records.add_publication(unit, version, Stage.ENFORCE, note="shipped", by=PRODUCT)


def _pack_version(unit: Unit, pack_name: str) -> PolicyVersion:
    """The pack as a stored version: the newest one, where it is the pack as it ships and was not retired."""
    policy = read_policy(pack(pack_name))
    author, digest = pack_author(pack_name), policy.value_digest()
    latest = records.newest(unit, policy.name)
    if latest is not None and (latest.author, latest.digest) == (author, digest) and not _is_retired(unit, latest):
        return latest
    return _add(unit, policy, latest, author=author, author_name=f"the pack {pack_name}")


def _add(unit: Unit, policy: Policy, latest: PolicyVersion | None, *, author: str, author_name: str) -> PolicyVersion:
    number = latest.version + 1 if latest is not None else 1
    return records.add_version(unit, policy, version=number, author=author, author_name=author_name)


def _is_retired(unit: Unit, version: PolicyVersion) -> bool:
    return standing(records.publications(unit, version.name)).stages.get(version.version) is Stage.RETIRE


def _publish(unit: Unit, act: Act, version: PolicyVersion, principal: Principal) -> tuple[Publication, bool]:
    made = records.publications(unit, act.name)
    found = standing(made)
    if found.stages.get(act.version) is act.stage and (
        act.stage is not Stage.ENFORCE or found.enforced[:1] == (version.reference,)
    ):
        at_stage = [one for one in made if one.policy.version == act.version and one.stage is act.stage]
        return at_stage[0], False
    require_forward(found, act.version, act.stage)
    if act.stage is not Stage.RETIRE:
        require_satisfiable(unit, store.policy(unit, version.digest))
    announced = {**version.reference.document(), "stage": act.stage.value, "by": principal.name}
    announce(unit, "assay.policy.published", subject=f"policies/{act.name}/versions/{act.version}", data=announced)
    return records.add_publication(unit, version, act.stage, note=act.note, by=principal), True


def require_satisfiable(unit: Unit | ReadUnit, policy: Policy) -> None:
    """Return when a request could meet the policy on this instance.

    Raises:
        NotFound: an unknown check.
        InputRefused: a parameter is not valid, a schema is not registered, or too few people could approve.
    """
    validate(policy)
    require_registered(unit, policy)
    for number, rule in enumerate(policy.approvals):
        able = len(eligible_approvers(unit, rule.role))
        if able < rule.count:
            raise InputRefused(
                expected=f"{rule.count} holders of a valid key with the role {rule.role}",
                found=str(able),
                remedy=f"Give more people the role {rule.role}, or ask for fewer approvals.",
                pointer=f"/approvals/{number}",
            )


def unmet(unit: Unit | ReadUnit, policy: Policy, name: str) -> tuple[LintFinding, ...]:
    """What would keep a valid policy from being stored under ``name`` and published on this instance."""
    found = []
    if policy.name != name:
        message = f"The document names {policy.name!r}, and the path {name!r}."
        found.append(LintFinding(level="error", code="policy.other_name", message=message, pointer="/name"))
    try:
        require_satisfiable(unit, policy)
    except AssayError as fault:
        message = f"Expected {fault.expected}, found {fault.found}. {fault.remedy}"
        pointer = fault.pointer or ""
        found.append(LintFinding(level="error", code="policy.cannot_be_met", message=message, pointer=pointer))
    return tuple(found)
