"""Tests of ``policies.fairness.law``."""
