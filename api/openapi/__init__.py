"""The published document."""
