"""The web server of the service: connections, access, TLS."""
