"""Bring back what a snapshot holds: select, name, write, verify, report."""
