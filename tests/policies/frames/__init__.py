"""Tests of ``policies.frames``."""
