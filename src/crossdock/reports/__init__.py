"""What was chosen, and why, as values and as text: for people, for programs, and compared with another time."""
