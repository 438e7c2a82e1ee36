"""Show the results: values of `rules` in; text, pages or metric families out. No network."""
