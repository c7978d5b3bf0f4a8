"""The transparency log: an RFC 6962 Merkle tree in the product's own tables, its checkpoints and its proofs."""
