"""How programs and people use Sealflow: the embedded API, the command line, replay."""
