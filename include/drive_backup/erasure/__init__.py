"""Erase what was saved of one source, or of one item, from all snapshots, because a person asks for it."""
