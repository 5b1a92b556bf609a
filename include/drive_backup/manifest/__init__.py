"""Snapshots: the Parquet catalogue, the manifest that commits it, and how both are written and read."""
