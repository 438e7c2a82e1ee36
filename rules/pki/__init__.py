"""Certificates, chains, revocation lists and OCSP answers."""
