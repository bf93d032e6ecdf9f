"""What differs: a function or a value as a recorded tree, two trees as a difference."""
