"""What the demo tells a person who cannot have it."""

from __future__ import annotations


class DemoError(Exception):
    """A sentence that says what is wrong and what to do."""
