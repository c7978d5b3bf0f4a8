"""Tests of ``policies.fairness``."""
