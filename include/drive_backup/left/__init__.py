"""What became of items that the snapshot before had and the new one has not.

The step that lists notes what the change feed tells (:mod:`.told`); the plan sees what the listing itself tells
(:mod:`.whereabouts`); the commit writes the rows down. docs/adr/0017 has the reasons.
"""
