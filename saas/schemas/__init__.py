"""What comes in and what goes out, one noun a file."""
