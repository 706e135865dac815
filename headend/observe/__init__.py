"""What shows from outside: logs, metrics, health, and captures of what goes over the line.

Nothing here decides anything, and none of it is imported before somebody asks for it. One
correlation id goes from the call that queues a command over each of its attempts to the frames of
its sessions: it stands in the command's row, on every log line, and on every packet captured.
"""
