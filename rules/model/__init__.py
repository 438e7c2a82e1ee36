"""Values that every room shares, and the closed vocabularies."""
