"""What things look like: marks, numbers, lines back, formulas, colours, and how all that is written as DOT."""
