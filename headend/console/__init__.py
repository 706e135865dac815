"""What the command line has beside its commands: help, the tab key, progress, a worker's desk."""
