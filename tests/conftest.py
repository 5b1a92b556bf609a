"""What holds for all tests: how Hypothesis draws."""

from hypothesis import settings

# CI tries the same examples each time, so that a change is red for what it changed, and fewer of slow properties.
# `make test-fast` draws new ones, and all.
settings.register_profile("repeatable", derandomize=True, max_examples=40)
