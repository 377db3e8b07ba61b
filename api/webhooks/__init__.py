"""Tells webhooks what becomes of jobs."""
