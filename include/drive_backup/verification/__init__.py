"""Is what the manifests say still true? From listings, by reading the bytes again, and by restoring a sample."""
