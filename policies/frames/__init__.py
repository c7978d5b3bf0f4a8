"""Reading a manifest's files and reducing them: sources, the joined table, its coding and its weighted cells.

Only modules that measure import from here, because polars is loaded with it. Nothing here judges.
"""
