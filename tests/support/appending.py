"""A process that appends to the log, one leaf a commit: ``python -m tests.support.appending URL NAME COUNT``."""

import sys

from governance.database import Database
from governance.log.journal import Leaf, append


def main(url: str, name: str, count: int) -> None:
    """Append ``count`` leaves that carry the name."""
    database = Database(url)
    for number in range(count):
        with database.unit() as unit:
            append(unit, [Leaf("test", f"{name} {number}".encode())])
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
