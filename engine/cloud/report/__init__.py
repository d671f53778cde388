"""What a check reports: problems, their positions in the text, and SARIF."""
