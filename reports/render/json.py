"""The dossier as JSON: its RFC 8785 bytes, so that their SHA-256 is the dossier's digest."""

from governance.canonical import canonical
from reports.dossier import Dossier


def render_json(dossier: Dossier) -> bytes:
    """The canonical bytes of the dossier."""
    return canonical(dossier.document())
