"""Tests of ``policies.explainability``."""
