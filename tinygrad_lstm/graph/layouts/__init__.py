"""Where things stand: expressions, any tape, recurrences as cells, and as gates in lanes."""
