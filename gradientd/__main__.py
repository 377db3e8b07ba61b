"""`python -m gradientd` is the command `gradientd`."""

from gradientd.cli.app import app

if __name__ == "__main__":
    app()
