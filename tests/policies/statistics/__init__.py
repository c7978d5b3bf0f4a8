"""Tests of ``policies.statistics``."""
