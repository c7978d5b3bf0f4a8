"""What is judged, and where it is to run."""

from governance.types.value import Digest, Name, Value


class Subject(Value):
    """A model version. The digest is its identity; the names are labels.

    ``digest`` is the SHA-256 of the model file, or of the manifest of its directory.
    """

    namespace: Name
    name: Name
    version: Name
    digest: Digest

    @property
    def lineage_name(self) -> str:
        """The name of the model version as a dataset in lineage: ``{model}/{version}``."""
        return f"{self.name}/{self.version}"

    @property
    def label(self) -> str:
        """``name@version``, for people."""
        return f"{self.name}@{self.version}"
