"""What runs by itself: which sessions are wanted, missing and launched."""
