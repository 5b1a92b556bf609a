"""The certificate authority: made once, kept, so that a client that trusted it yesterday still does."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import trustme

from include.local_cloud.keyvault.files import write_private


def load_authority(state: Path) -> trustme.CA:
    """The authority of a state folder."""
    certificate, key = state / "ca.pem", state / "ca-key.pem"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Drive Backup local cloud")
    write_private(key, authority.private_key_pem.bytes())
    write_private(certificate, authority.cert_pem.bytes())
    return authority


def write_bundle(state: Path, authority: trustme.CA) -> Path:
    """What clients need: the public authorities and ours, since these variables replace the default bundle."""
    bundle = state / "ca-bundle.pem"
    write_private(bundle, Path(certifi.where()).read_bytes() + b"\n" + authority.cert_pem.bytes())
    bundle.chmod(0o644)
    return bundle


def server_context(authority: trustme.CA, names: list[str]) -> ssl.SSLContext:
    """TLS for a server that is reached by these host names and addresses."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*dict.fromkeys(names)).configure_cert(context)
    return context
