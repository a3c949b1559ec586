"""Whatever happens to the writer, the lake holds whole files, and the next run completes."""
