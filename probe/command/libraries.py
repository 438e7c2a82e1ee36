"""Versions of the libraries, for `--version --verbose`. OpenSSL's matters most: it parses hostile certificates."""

from __future__ import annotations

from importlib import metadata

from cryptography.hazmat.backends.openssl import backend

_NAMED = ("cryptography", "pyOpenSSL", "dnspython", "h11", "aiohttp", "msgspec")


def libraries() -> list[str]:
    """One line for each library."""
    return [backend.openssl_version_text(), *(f"{name} {metadata.version(name)}" for name in _NAMED)]
