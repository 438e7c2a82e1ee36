"""Values that every room uses, and the closed vocabularies."""
