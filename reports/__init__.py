"""Stored audits as documents that people read: a frozen dossier and its renderers."""
