"""The Python client of the HTTP API: needs neither Redis, Celery nor TensorFlow."""

from gradientd.client.client import Client
from gradientd.client.errors import Refused, ServerUnreachable, UnexpectedAnswer

__all__ = ["Client", "Refused", "ServerUnreachable", "UnexpectedAnswer"]
