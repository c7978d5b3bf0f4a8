"""One renderer a file: a dossier in, bytes out, the same bytes for the same dossier."""

from typing import Literal

ReportFormat = Literal["html", "json"]
"""The formats that reports are issued in."""

MEDIA_TYPES: dict[ReportFormat, str] = {"html": "text/html; charset=utf-8", "json": "application/json"}
"""The media type of each format."""

RENDERER = "assay-report/1"
"""Version of the renderers; it changes when the same dossier may give other bytes."""
