"""A second healthy internet, for the audit to be tried on: it shares no server and no certificate with the lab.

Made with other programs (BIND, PowerDNS Recursor, HAProxy, nginx, GnuTLS, the `openssl` command), with other habits: servers
that want a client certificate, one page at `/` on every port-80 host, front ends that many names share, chains of aliases
over four zones, partitioned lists. Whatever warns here is a false alarm.
"""
