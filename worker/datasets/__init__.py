"""Where the arrays come from that jobs train on."""
