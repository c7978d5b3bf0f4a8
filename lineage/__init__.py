"""Where data and models came from and what they affect, as OpenLineage."""
