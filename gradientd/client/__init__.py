"""The Python client of the HTTP API: needs neither Redis, Celery nor TensorFlow."""

from gradientd.client.client import Client
from gradientd.client.errors import Refused, ServerUnreachable, StillRunning, UnexpectedAnswer

__all__ = ["Client", "Refused", "ServerUnreachable", "StillRunning", "UnexpectedAnswer"]
