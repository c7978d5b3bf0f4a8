"""Tests of ``audits.sandbox``."""
