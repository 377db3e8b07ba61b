"""What a person uses: the command line, the Python client, and `gradientd up`, the whole service on one machine."""

from importlib.metadata import version

__version__ = version("gradientd")
