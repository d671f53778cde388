"""The commands, by noun. A command's module is imported only when the command is given."""
