"""One rule a module; each takes a ``Case`` and gives a ``RuleOutcome``."""
