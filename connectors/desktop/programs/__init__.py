"""The modules for programs and the machine: System, Cmd, Scripting, Display, Clipboard."""
