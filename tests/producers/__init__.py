"""Other people's producers of OpenLineage events, unmodified, at work against a running service."""
