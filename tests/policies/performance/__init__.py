"""Tests of ``policies.performance``."""
