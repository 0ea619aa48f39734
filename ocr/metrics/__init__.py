"""What a result is worth: word accuracy, box matching, and how sure we may be of either."""
