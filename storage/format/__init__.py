"""The bytes: records, the codec, compression, and all cryptography in `envelope`."""
