"""From a listing to decisions: where each item is, what is stored of it, and what has to be copied.

Everything is pure but :mod:`.plan`, which reads the listing and writes rows and batches, and :mod:`.stored`, which
reads the index of what is stored. Order of reading: ``tree``, ``filters``, ``exports``, ``stored``, ``decide``,
``shards``, ``plan``.
"""
