"""Tests of ``policies.schema``."""
