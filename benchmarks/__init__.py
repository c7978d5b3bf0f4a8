"""Speed and memory against a stated floor or peer. Each module here that has ``run() -> list[Row]`` is a benchmark."""
