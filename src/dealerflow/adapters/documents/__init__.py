"""Letters and printed documents: templates, PDFs, and how amounts and dates read in each language."""
