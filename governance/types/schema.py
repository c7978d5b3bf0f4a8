"""How a registered schema is named."""

from typing import Annotated

from pydantic import StringConstraints

SchemaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""The name of a schema: lower-case letters, digits and hyphens."""

SchemaReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}@[1-9][0-9]{0,8}$")]
"""A version of a registered schema: ``holdout@3``. A version never changes, so that a reference means one document."""
