"""`python -m gradientd` is the command `gradientd`."""

from gradientd.cli import app

if __name__ == "__main__":
    app()
