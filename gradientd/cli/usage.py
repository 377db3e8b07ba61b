"""What bad usage is answered by: a line in our words, with what was probably meant, and where the help is."""

import re

import typer

from gradientd.cli.wording import in_our_words, meant, with_meant

COMMAND = re.compile(r"No such command '(.*)'\. Did you mean (.*)\?", re.DOTALL)
"""What the option parser says of a command; it proposes also what is hardly like it."""
QUOTED = re.compile(r"'([^']*)'")


def usage_lines(error: typer.TyperException) -> list[str]:
    """What to say of an error that the option parser, or a command on its behalf, raised."""
    context = getattr(error, "ctx", None)
    said = [fault(error)]
    if context is not None:
        said.append(f"  how to use it: {context.command_path} --help")
    return said


def fault(error: typer.TyperException) -> str:
    """The fault in a line."""
    option = getattr(error, "option_name", None)
    if hasattr(error, "possibilities") and option:
        possible: list[str] = getattr(error, "possibilities", None) or []
        return f"there is no option {option}{meant(option, possible)}"
    if type(error) is typer.BadParameter:
        return f"{place(error)}{with_meant(in_our_words(error.message))}"
    said = error.format_message()
    if command := COMMAND.fullmatch(said):
        return f"No such command '{command[1]}'{meant(command[1], QUOTED.findall(command[2]))}"
    return said


def place(error: typer.BadParameter) -> str:
    """The option or argument that is wrong, as it is typed."""
    hint = error.param_hint or (error.param.get_error_hint() if error.param else "")
    words = hint if isinstance(hint, str) else " / ".join(hint)
    return f"{words.replace(chr(39), '')}: " if words else ""


def is_help(error: typer.TyperException) -> bool:
    """Whether no command was given, and the help, which is the error's text, has been shown."""
    return type(error).__name__ == "NoArgsIsHelpError"
