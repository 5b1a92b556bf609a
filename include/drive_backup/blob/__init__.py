"""Azure Blob Storage: names, metadata, and the one implementation of ``ports.BlobStore`` that talks to the service."""
