"""The syntax of Robin scripts: from text to tree, with line and column for every error."""
