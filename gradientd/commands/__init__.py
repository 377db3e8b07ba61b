"""The commands of the command line: each module holds those about one thing. They read options and call the rest."""
