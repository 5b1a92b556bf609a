"""How many examples a slow property draws: fewer where a run draws the same ones each time."""

from hypothesis import settings


def share_of(examples: int) -> int:
    """The number for this run, of what a run that draws new examples takes."""
    return max(1, examples * settings.default.max_examples // 100)
