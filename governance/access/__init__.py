"""Who asks, and what they may do: service keys, signers of evidence, roles and the permissions they give."""
