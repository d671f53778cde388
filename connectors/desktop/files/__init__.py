"""The File, Folder and Compression modules."""
