"""SQL text as people wrote it: cut at semicolons and placeholders, and never written anew."""
