"""Where things are, by hash: as a dict of lists has it."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.planning.places import Places

HASHES = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**64 - 1))


@given(st.lists(st.one_of(HASHES.map(lambda key: ("add", key)), HASHES.map(lambda key: ("ask", key))), max_size=60))
def test_it_gives_what_a_dict_of_lists_gives(steps):
    places, model = Places(), defaultdict(list)
    for place, (what, key) in enumerate(steps):
        if what == "add":
            places.add(key, place)
            model[key % 2**64].append(place)
        else:
            assert list(places.of(key)) == model[key % 2**64]
    assert {key: list(places.of(key)) for key in model} == model
