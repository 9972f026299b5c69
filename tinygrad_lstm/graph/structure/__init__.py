"""What there is to draw: the tape as plain data, the recurrences in it, and what of it is shown."""
