"""Tests of the data-protection rules."""
