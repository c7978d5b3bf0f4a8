"""Tests of the quality family."""
