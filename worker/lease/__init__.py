"""Holding a job: its lease, what is reported under it, and what ends it."""
