"""One file a revision; a revision never changes once released."""
