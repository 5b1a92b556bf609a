"""What holds for all tests: how Hypothesis draws."""

from hypothesis import settings

# CI tries the same examples each time, so that a change is red for what it changed. `make test-fast` draws new ones.
settings.register_profile("repeatable", derandomize=True)
