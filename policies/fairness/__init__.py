"""Fairness of binary decisions between groups: measured on weighted cells, judged with intervals or as written."""
