"""The colours of pictures; every status can also be told without them."""

# Fill and edge of each status.
FILLS = {
    "done": ("#dcf3e0", "#2da44e"),
    "failed": ("#ffd8d3", "#cf222e"),
    "killed": ("#fbd5ea", "#bf3989"),
    "skipped": ("#fdf0c2", "#bf8700"),
    "pending": ("#eceef1", "#8c959f"),
    "running": ("#d4ebff", "#0969da"),
}
SIGNS = {"failed": "✗", "killed": "†", "skipped": "-", "pending": "…", "running": "▸"}

# Told apart by people who see red and green alike (Okabe and Ito, "Color Universal Design", 2008), but the black.
SERIES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#f0e442", "#d55e00")
OTHERS = "#b0b7bf"
