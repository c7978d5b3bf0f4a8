"""Signing: Ed25519 keys, the DSSE envelope, and the statements that go into it."""
