"""Schema: whether a file is what its document says, judged as it was delivered."""
