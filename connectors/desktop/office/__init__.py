"""The modules for documents: Excel, Word, PowerPoint, PDF and OCR."""
