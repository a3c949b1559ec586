"""What runs by itself: it compares what is wanted with what is stored, and launches the rest."""
