"""The commands, by noun. A command's module is imported when the command is given."""
