"""The commands, one file each; the first line of a file is its line in ``prepay --help``.

A command file has ``command``, the click command, and a function that takes a
``headend.context.Context`` and returns a ``headend.report.Report``: the API and the command line
are the same function.
"""
