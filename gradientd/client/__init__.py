"""The Python client of the HTTP API: needs neither Redis, Celery nor TensorFlow."""
