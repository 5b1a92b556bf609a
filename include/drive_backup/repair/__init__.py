"""Puts back what is damaged or missing: from deleted blobs, older versions and snapshots, and from other blobs.

``model`` says what was found; ``search`` looks for bytes with the hash that the catalogue has, ``elsewhere`` in other
blobs, and ``candidates`` reads them; ``mend`` puts one blob back;
``run`` does it for one source: dry, or under its lock. Docs: docs/runbook.md; reasons: docs/adr/0029.
"""
