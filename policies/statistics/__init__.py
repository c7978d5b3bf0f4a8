"""Intervals, tests and corrections for rates. Pure and of the standard library alone: judges import them."""
