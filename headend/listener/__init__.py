"""What meters say unasked: heard, kept once, confirmed, and looked after."""
