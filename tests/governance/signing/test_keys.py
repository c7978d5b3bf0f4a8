"""Keys: files that nobody else may read, ids that follow from the key."""

import hashlib
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.errors import InputRefused, UsageError
from governance.signing.keys import PublicKey, SigningKey, load_key, store_key
from governance.signing.rings import create_ring, open_ring

FILES = ("decision.pem", "checkpoint.pem", "ring.json")


def test_a_ring_opens_as_it_was_created(tmp_path: Path) -> None:
    instant = datetime(2026, 3, 1, 12, 0, 0, 999, tzinfo=UTC)
    created, opened = create_ring(tmp_path / "keys", clock=lambda: instant), open_ring(tmp_path / "keys")
    assert opened.decision.keyid == created.decision.keyid
    assert opened.checkpoint.keyid == created.checkpoint.keyid
    assert opened.valid_from == created.valid_from == instant.replace(microsecond=0)


def test_the_decision_key_is_not_the_checkpoint_key(tmp_path: Path) -> None:
    ring = create_ring(tmp_path)
    assert ring.decision.keyid != ring.checkpoint.keyid


def test_files_of_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    create_ring(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for name in FILES:
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", FILES)
def test_keys_are_never_overwritten(tmp_path: Path, name: str) -> None:
    create_ring(tmp_path)
    kept = (tmp_path / name).read_bytes()
    for other in FILES:
        if other != name:
            (tmp_path / other).unlink()
    with pytest.raises(UsageError, match="no keys in"):
        create_ring(tmp_path)
    assert (tmp_path / name).read_bytes() == kept


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_keys_that_others_may_read_are_refused(tmp_path: Path, name: str, mode: int) -> None:
    create_ring(tmp_path)
    (tmp_path / name).chmod(mode)
    with pytest.raises(UsageError, match=r"readable by its owner alone.*chmod 600"):
        open_ring(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_absent_keys_are_a_clear_fault(tmp_path: Path, name: str) -> None:
    create_ring(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match="No such file"):
        open_ring(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"noise", b'{"valid_from": 1}', b"[]"])
def test_files_that_are_no_keys_are_a_clear_fault(tmp_path: Path, name: str, content: bytes) -> None:
    create_ring(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="Restore the folder of keys"):
        open_ring(tmp_path)


def test_a_key_swapped_for_another_is_refused(tmp_path: Path) -> None:
    create_ring(tmp_path)
    (tmp_path / "decision.pem").unlink()
    store_key(tmp_path / "decision.pem", SigningKey.generate())
    with pytest.raises(UsageError, match="other keys"):
        open_ring(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.chmod(0o600)
    with pytest.raises(UsageError, match="another kind"):
        load_key(path)
    der = other.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(InputRefused, match="another kind"):
        PublicKey.from_der(der)


def test_a_public_key_reads_back_from_each_of_its_forms() -> None:
    key = SigningKey.generate().public
    assert PublicKey.from_raw(key.raw).keyid == key.keyid
    assert PublicKey.from_der(key.der).keyid == key.keyid
    assert PublicKey.from_pem(key.pem).keyid == key.keyid
    assert key.keyid == hashlib.sha256(key.der).hexdigest()


@pytest.mark.parametrize("noise", [b"", b"x" * 31, b"x" * 44])
def test_noise_is_no_public_key(noise: bytes) -> None:
    with pytest.raises(InputRefused):
        PublicKey.from_raw(noise)
    with pytest.raises(InputRefused):
        PublicKey.from_der(noise)
    with pytest.raises(InputRefused):
        PublicKey.from_pem(noise.decode())


def test_signatures_follow_rfc_8032() -> None:
    """Test 2 of RFC 8032, section 7.1."""
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(secret))
    assert key.sign(b"\x72") == signature
    assert key.public.verifies(signature, b"\x72")
    assert not key.public.verifies(signature, b"\x73")
    assert not key.public.verifies(b"", b"\x72")


def test_a_key_does_not_show_itself_in_text() -> None:
    assert "Ed25519" not in repr(SigningKey.generate())


def test_openssl_reads_the_stored_key(tmp_path: Path) -> None:
    key = SigningKey.generate()
    store_key(tmp_path / "key.pem", key)
    asked = subprocess.run(
        ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-pubout"], capture_output=True, text=True, check=True
    )
    assert asked.stdout == key.public.pem
