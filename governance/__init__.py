"""Assay: governance and risk-compliance auditing for machine-learning models.

This package is the kernel and the only one that strangers import: words, mechanisms, client and command line.
"""

__version__ = "0.1.0"
