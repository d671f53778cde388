"""The shape of a cloud flow's definition: from JSON text to records, with a JSON pointer for every error."""
