"""Google Drive: implements :class:`include.drive_backup.ports.Drive` over HTTP.

``source`` is what the rest of the core sees. Below it: ``client`` (HTTP, pacing, retries; ``hosts`` says who may see
the token), ``content`` (the ways to bytes and exports; ``bodies`` checks these), ``corpus`` (what belongs to a source),
``fields`` (what is asked for), ``errors`` and ``token_errors`` (what refusals mean), ``tokens`` (credentials).
"""
