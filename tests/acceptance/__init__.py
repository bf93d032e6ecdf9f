"""The promises of the founding text and of the design, tested from outside, as a user meets them."""
