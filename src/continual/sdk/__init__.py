"""What a serving system calls: log predictions and labels from Python, without waiting."""
