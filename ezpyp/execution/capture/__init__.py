"""What a step prints, logs and warns of, kept beside being shown as ever."""
