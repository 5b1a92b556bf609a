"""Puts back what is damaged or missing from what the storage account keeps: deleted blobs, older versions, snapshots.

``model`` says what was found; ``search`` looks for bytes with the hash that the catalogue has; ``mend`` puts one blob
back; ``run`` does it for one source: dry, or under its lock. Docs: docs/runbook.md; reasons: docs/adr/0029.
"""
