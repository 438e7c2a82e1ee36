"""One file for each kind of question: the types of its step and observation, and how it is judged."""
