"""Rules of data-protection law over a model's lineage: purpose, special categories, retention, unknown sources."""
