"""The FTP module and its protocols."""
