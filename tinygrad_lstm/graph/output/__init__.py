"""What becomes of a picture: files, pages, and what a notebook shows."""
