"""One file for each kind of question: the types of its step and of its evidence."""
