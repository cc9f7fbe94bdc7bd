"""The index: what it is made of, how it is built, and how it answers."""
