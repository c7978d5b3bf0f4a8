"""Packs for tests: a whole one, and ways to change one so that its parts still agree on the outside."""

import json
from collections.abc import Mapping

from governance.canonical import canonical, sha256
from governance.pack import MANIFEST, pack_files
from governance.pack_files import pack_bytes, read_pack
from governance.types.decision import Decision
from governance.verify import read_trust, verify_bundle
from tests.support.proof import Instance, decision

PARTS = {sha256(part): part for part in (b"measurement", b"policy")}
"""What the example decision rests on, by digest."""


def pack_of(instance: Instance, taken: Decision | None = None) -> bytes:
    """A pack as an instance makes it."""
    whole = taken or decision()
    bundle, trust = instance.bundle(whole), read_trust(instance.trust())
    documents = {**PARTS, whole.value_digest(): canonical(whole.document())}
    return pack_bytes(pack_files(bundle, trust, verify_bundle(bundle, trust), documents))


def changed(pack: bytes, files: Mapping[str, bytes | None], *, told: bool = True) -> bytes:
    """The pack with files replaced, added or (None) removed; ``told`` writes the manifest to suit."""
    present = {**read_pack(pack), **files}
    kept = {path: content for path, content in present.items() if content is not None}
    if told and MANIFEST not in files:
        manifest = json.loads(kept[MANIFEST])
        manifest["files"] = [
            {"path": path, "digest": sha256(kept[path]), "size": len(kept[path])}
            for path in sorted(kept)
            if path != MANIFEST
        ]
        kept[MANIFEST] = canonical(manifest)
    return pack_bytes(kept)
