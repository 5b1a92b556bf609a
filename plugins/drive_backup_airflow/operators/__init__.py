"""The steps of a backup, one verb per file. Each builds its parts in ``wiring`` and calls one core function."""
