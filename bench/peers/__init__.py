"""What the figures are compared with: each the plain way to do it, as its own documentation would.

The trainers run alone in a process each, with their library's defaults, the data in memory, and do no
evaluation and no metrics beyond the loss. Modules here import nothing of gradientd.
"""
