"""The FTP module and the servers that it speaks to."""
