"""Drive's quota as a budget that all tasks share, on whatever worker they run. docs/adr/0009 has the reasons."""
