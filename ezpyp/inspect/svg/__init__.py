"""Pictures as the text of SVG files."""
