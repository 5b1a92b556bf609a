"""What is kept and what goes: rules (pure), a plan that a person can read, and its execution."""
