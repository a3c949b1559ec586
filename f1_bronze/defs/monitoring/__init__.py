"""What is stored, missing, overdue and broken, for the UI, the terminal and the page."""
