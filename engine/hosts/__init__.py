"""What programs and people use: the embedded API, the command line, replay."""
