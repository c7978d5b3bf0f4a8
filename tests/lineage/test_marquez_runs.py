"""Digests that stand for versions in Marquez's shape."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from lineage.marquez.runs import job_version_digest

IDENTITIES = st.binary(min_size=32, max_size=32)


@given(IDENTITIES, st.lists(IDENTITIES, max_size=3), st.lists(IDENTITIES, max_size=3), st.none() | st.text())
def test_the_version_of_a_job_is_the_digest_of_one_json_list(
    job: bytes, inputs: list[bytes], outputs: list[bytes], location: str | None
) -> None:
    sides = [sorted(node.hex() for node in nodes) for nodes in (inputs, outputs)]
    spelled = json.dumps([job.hex(), *sides, location], separators=(",", ":")).encode("ascii")
    assert job_version_digest(job, inputs, outputs, location) == hashlib.sha256(spelled).digest()
