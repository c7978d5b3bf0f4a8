"""``python -m governance`` is ``assay``."""

from governance.cli import main

if __name__ == "__main__":
    main()
