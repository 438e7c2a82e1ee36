"""The libraries that do the work, for `--version --verbose`; hostile certificates are OpenSSL's to survive."""

from __future__ import annotations

from importlib import metadata

from cryptography.hazmat.backends.openssl import backend

_NAMED = ("cryptography", "pyOpenSSL", "dnspython", "h11")


def libraries() -> list[str]:
    """A line for each."""
    return [backend.openssl_version_text(), *(f"{name} {metadata.version(name)}" for name in _NAMED)]
