"""Checks: measuring data and models and judging the measurements. Nothing here sees a database."""
