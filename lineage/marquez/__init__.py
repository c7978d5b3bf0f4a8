"""Stored lineage in the shapes of Marquez's API, as its clients and its web pages read them.

Lists pick the keys of a page by an index first (``pages``), then read what those rows need; no list reads a facet.
"""
