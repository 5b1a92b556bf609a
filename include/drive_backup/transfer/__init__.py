"""Drive to Blob: :mod:`.content` copies one content version, :mod:`.batch` copies many at once and remembers which."""
