"""The modules for services: AWS, Azure, CyberArk, Google, Email."""
