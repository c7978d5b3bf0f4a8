"""Explainability: which features a model rests on, and which carry its gap between groups."""
